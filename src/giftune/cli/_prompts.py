"""The edit prompts of a command: those in its settings, then those in its file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.errors import InputError


def read_prompts(settings: Mapping[str, Any], name: str) -> list[str]:
    """Each prompt once, in order; raises `InputError` for an empty one and for a file that cannot be read."""
    given = settings["prompts"]
    prompts = [given] if isinstance(given, str) else list(given or [])
    if settings["prompts_file"] is not None:
        prompts += _lines(Path(settings["prompts_file"]), f"{name}prompts_file")
    prompts = [" ".join(str(prompt).split()) for prompt in prompts]
    if "" in prompts:
        raise InputError(f"{name}prompts holds an empty prompt, each must say what the edited clip shows.")
    return list(dict.fromkeys(prompts))


def _lines(path: Path, name: str) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{name} is {path}, which cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is {path}, which is not text in UTF-8.") from error
