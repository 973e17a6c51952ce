"""A configuration as others may see it: without secrets, and without the paths of this machine."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

_SECRET = re.compile(r"(^|_)(key|token|secret|password|credentials?)s?($|_)", re.IGNORECASE)


def scrub(value: Any) -> Any:
    """Secret entries are left out, of an absolute path only its last name stays."""
    if isinstance(value, Mapping):
        return {name: scrub(inner) for name, inner in value.items() if not _SECRET.search(str(name))}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [scrub(inner) for inner in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    for name, secret in os.environ.items():
        if _SECRET.search(name) and len(secret) >= 8:
            text = text.replace(secret, "***")
    if PurePosixPath(text).is_absolute() or text.startswith("~"):
        return PurePosixPath(text).name
    if PureWindowsPath(text).is_absolute():
        return PureWindowsPath(text).name
    for place in sorted({str(Path.cwd()), str(Path.home())}, key=len, reverse=True):
        if len(place) > 1:
            text = text.replace(place, "...")
    return text
