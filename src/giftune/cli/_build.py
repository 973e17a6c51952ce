"""From a part of the configuration to the object it describes.

A `_target_` names code to run, and configurations also come from run folders: only an allow-list is followed.
Unlike Hydra's `instantiate` this checks plain values against the signature, and a bare `_partial_` is the
function itself, with its name.
"""

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from torch import Tensor

from giftune.errors import InputError

ALLOWED = ("giftune.", "torch.optim.", "pytorch_lightning.loggers.")
SAID = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "null"}


def build(config: Any, name: str, **built: Any) -> Any:
    """Call the `_target_` of `config` with its other entries, built in turn, and the objects in `built`.

    Raises `InputError` for a target outside the allow-list, an unknown argument, or a value of a wrong type.
    """
    if isinstance(config, Mapping):
        arguments = {key: build(value, f"{name}.{key}") for key, value in config.items() if key not in _OURS}
        if "_target_" not in config:
            return arguments
        target = locate(config["_target_"], name)
        arguments = _checked(target, arguments, name) | built
        if config.get("_partial_"):
            return partial(target, **arguments) if arguments else target
        return target(**arguments)
    if isinstance(config, Sequence) and not isinstance(config, str):
        return [build(value, f"{name}[{index}]") for index, value in enumerate(config)]
    return config


_OURS = ("_target_", "_partial_")


def locate(target: Any, name: str) -> Any:
    """What a dotted path names; raises `InputError` outside the allow-list and for what does not exist."""
    from hydra.utils import get_object

    sentence = f"{name}._target_ is {target}, it must lie in {', '.join(part[:-1] for part in ALLOWED)}."
    if not isinstance(target, str) or not target.startswith(ALLOWED):
        raise InputError(sentence)
    try:
        found = get_object(target)
    except Exception as error:
        raise InputError(f"{name}._target_ is {target}, which does not exist.") from error
    # a dotted path can leave its package: giftune.x.os.system is os.system
    if not f"{getattr(found, '__module__', '')}.".startswith(ALLOWED):
        raise InputError(sentence)
    return found


def _checked(target: Any, values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values, with whole numbers made floats where the signature says so."""
    known = inspect.signature(target).parameters
    try:
        hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except NameError:  # some of Lightning's hints name what only type checkers import
        hints = {}
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    arguments = {}
    for key, value in values.items():
        if key not in known and not open_ended:
            raise InputError(f"{name}.{key} is not known; known are: {', '.join(known)}.")
        hint = hints.get(key)
        if get_origin(hint) is Literal and value not in get_args(hint):
            raise InputError(f"{name}.{key} is {value!r}, it must be one of {', '.join(get_args(hint))}.")
        kinds = _plain(hint)
        if kinds and not _fits(value, kinds):
            wanted = " or ".join(SAID[kind] for kind in kinds)
            raise InputError(f"{name}.{key} is {value!r}, it must be {wanted}.")
        whole = isinstance(value, int) and not isinstance(value, bool)
        arguments[key] = float(value) if whole and kinds and int not in kinds else value
    return arguments


def _plain(hint: Any) -> tuple[type, ...]:
    """The plain types of a hint, or none if it allows others; tensors are no values for a configuration."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = tuple(kind for kind in kinds if kind is not Tensor)
    return kinds if all(kind in SAID for kind in kinds) else ()


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)
