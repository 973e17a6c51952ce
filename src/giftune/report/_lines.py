"""JSON that may be half-written: what can be read, and which files could not be read in full."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Reader:
    """Reads JSON objects and counts, by file, what is damaged."""

    def __init__(self) -> None:
        self.damaged: Counter[Path] = Counter()

    def object(self, path: Path) -> dict[str, Any]:
        """The object in a file; empty if there is no such file or it is damaged."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self.damaged[path] = 1  # however often it is read
        return {}

    def lines(self, path: Path) -> Iterator[dict[str, Any]]:
        """The objects in a file of one object per line, without the lines that are none."""
        try:
            content = path.read_bytes()
        except OSError:
            self.damaged[path] += path.exists()
            return
        for line in content.split(b"\n"):
            if not line.strip():
                continue
            try:
                found = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                yield found
            else:
                self.damaged[path] += 1

    def note(self, root: Path) -> str | None:
        """One sentence that names the damaged files relative to `root`."""
        damaged = +self.damaged
        if not damaged:
            return None
        total = sum(damaged.values())
        names = ", ".join(f"{shorten(path, root)} ({count})" for path, count in sorted(damaged.items()))
        return f"{total} damaged {'entry was' if total == 1 else 'entries were'} left out: {names}."


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def shorten(path: Path, root: Path) -> str:
    """The path from `root` on, if it lies there."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
