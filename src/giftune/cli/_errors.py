"""What went wrong, in one sentence, and the exit status for it."""

import difflib
import errno
import re
from collections.abc import Iterator

from giftune.cli._run import ROOT
from giftune.errors import InputError

INPUT, FAILED, INTERRUPTED = 2, 1, 130
LAUNCHERS = 'pip install "giftune[launchers]"'
LESS_MEMORY = (
    "less of data.num_frames, data.size or edit.batch_size needs less, as do "
    "method.gradient_checkpointing=true, method.window.frames=16 and method.lora.rank=16"
)
QUOTING = """quote it once for the shell and once for the configuration, as in
  'data.prompt="a cat, running"'
  'edit.prompts=["a dog is running", "a fox is running"]'
or write the prompts, one per line, into a file: edit.prompts_file=prompts.txt"""


def explain(error: BaseException) -> tuple[str, int] | None:
    """The sentence and the status; None for a fault of the program, which deserves its traceback."""
    for cause in _causes(error):
        if isinstance(cause, InputError):
            return str(cause), INPUT
        if isinstance(cause, KeyboardInterrupt):
            return "interrupted; the same command resumes.", INTERRUPTED
        if isinstance(cause, FloatingPointError):
            return f"tuning diverged: {cause}; a lower optimizer.lr may help.", FAILED
        if isinstance(cause, ChildProcessError):
            return str(cause), FAILED
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"the disk is full: {cause.filename or 'a file'} could not be written.", INPUT
        if isinstance(cause, PermissionError | NotADirectoryError | FileExistsError):
            return f"{cause.filename} cannot be used: {cause.strerror}.", INPUT
        if isinstance(cause, MemoryError) or re.search("out of memory|can't allocate memory", str(cause)):
            return f"the memory is too small: {LESS_MEMORY}.", FAILED
        if type(cause).__module__.startswith(("hydra.", "omegaconf.")) or "Unknown plugin" in str(cause):
            return _configuration(cause), INPUT
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it, outermost first, but our own sentence before any of a library."""
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from sorted(chain, key=lambda cause: not isinstance(cause, InputError))


def _configuration(error: BaseException) -> str:
    """Hydra's message without its search path, its grammar, and its advice for other programs."""
    text = str(error)
    if override := getattr(error, "override", None):
        if "=" not in override:
            return f"{override} is not a setting: settings are given as name=value."
        return f"{override} cannot be read: {QUOTING}"
    if found := re.search(r"Ambiguous value for argument '(.*)'\n", text):
        return f"{found[1]} has a comma: {QUOTING}"
    if found := re.search(r"Could not (?:find|load) '(.*)/(.*)'", text):
        said = text.partition("Available options")[2].partition("Config search path")[0]
        listed = re.findall(r"\n\s+(\S+)", said) or sorted(  # of several from one group nothing is listed
            file.stem for file in (ROOT / "conf" / found[1]).glob("*.yaml")
        )
        options = [option for option in listed if not option.startswith("_")]
        more = f"; {LAUNCHERS} brings others" if found[1] in ("hydra/launcher", "hydra/sweeper") else ""
        return f"{found[1]}={found[2]} is not known; known are: {', '.join(options) or 'none'}{more}."
    if found := re.search(r"Unknown plugin class : 'hydra_plugins\.hydra_(\w+?)_", text):
        return f"{found[1]} is not installed: {LAUNCHERS} brings it."
    if found := re.search(r"Could not override '(\S+)'", text):
        parent = getattr(error.__cause__, "parent_node", None) or {}
        prefix, dot, last = found[1].rpartition(".")
        known = [str(key) for key in parent if key != "hydra" and not str(key).startswith("_")]
        close = difflib.get_close_matches(last, known, n=1)
        hint = f"did you mean {prefix}{dot}{close[0]}?" if close else f"known are: {', '.join(known)}."
        return f"{found[1]} is not known; {hint}"
    if "Missing mandatory value" in text:
        name = getattr(error, "full_key", None)
        return f"{name} is missing: give it as {name}=..."
    return " ".join(text.split("\n    full_key:")[0].split())
