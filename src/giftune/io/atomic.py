"""Files appear complete or not at all: written beside the target under a temporary name, then renamed."""

import errno
import json
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from giftune.errors import InputError

# Conditions of the place the user chose, not faults of the program.
_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM}


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path with the target's suffix; rename it to the target when the body succeeds.

    Whoever may read any new file of this user may read it: safetensors would keep it to the user alone.
    On any failure, an interrupt included, the temporary file is removed and the target is left as it was.
    Raises InputError when the folder is missing, not writable or full.
    """
    target = Path(target)
    _check_place(target)
    temporary = target.parent / f".{secrets.token_hex(8)}{target.suffix[:32]}"
    try:
        mode = _usual_mode(temporary)
        yield temporary
        temporary.chmod(mode)
        _sync(temporary)
        os.replace(temporary, target)
    except Exception as error:
        # safetensors and torch raise their own types, with the system's words in the message.
        full = os.strerror(errno.ENOSPC) in str(error)
        if full or (isinstance(error, OSError) and error.errno in _PLACE):
            reason = os.strerror(errno.ENOSPC) if full else error.strerror  # type: ignore[attr-defined]
            raise InputError(f"path {target} cannot be written: {reason}") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
    # Some network file systems cannot sync a folder; the file itself is safe by then.
    with suppress(OSError):
        _sync(target.parent)


def _check_place(target: Path) -> None:
    try:
        if not target.parent.is_dir():
            raise InputError(f"path {target} cannot be written: its folder does not exist")
        if target.exists() and not target.is_file():
            raise InputError(f"path {target} cannot be written: it exists and is not a regular file")
    except OSError as error:
        raise InputError(f"path {target} cannot be written: {error.strerror}") from error
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise InputError(f"path {target} cannot be written: its folder is not writable")


def _usual_mode(path: Path) -> int:
    path.touch()
    try:
        return path.stat().st_mode
    finally:
        path.unlink()


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that a power cut cannot leave a renamed but empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, obj: Any) -> None:
    """Write indented JSON atomically; numbers that are not finite become null, which JSON can say."""
    write_text(path, json.dumps(_finite(obj), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(obj: Any) -> Any:
    if isinstance(obj, float) and not math.isfinite(obj):
        return None
    if isinstance(obj, dict):
        return {key: _finite(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [_finite(value) for value in obj]
    return obj
