"""`records.jsonl`: what was measured on each edit of a run, one line an edit."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from giftune.io.atomic import write_text


class Records:
    """The lines by the edit's file; `suite` tells one set of metrics and networks from another."""

    def __init__(self, path: Path, suite: str) -> None:
        self.path, self.suite = path, suite
        self._lines = {line["file"]: line for line in _read(path)}

    def find(self, entry: Mapping[str, Any]) -> dict[str, Any] | None:
        """The record of this very drawing by these metrics; `entry` is the edit's line in its index."""
        record = self._lines.get(f"edits/{entry['file']}", {})
        same = all(record.get(name) == entry[name] for name in ("prompt", "settings", "seconds"))
        return record if same and record["suite"] == self.suite else None

    def put(self, entry: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write the record at once, in the place of any earlier one of that file."""
        line = {**entry, "file": f"edits/{entry['file']}", **facts, "suite": self.suite}
        self._lines[line["file"]] = line
        self._write(self._lines)

    def keep(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """In the order of the index, without those of edits that are gone."""
        files = [f"edits/{entry['file']}" for entry in entries]
        kept = [file for file in files if file in self._lines]
        if kept != list(self._lines):
            self._write(kept)

    def _write(self, files: Iterable[str]) -> None:
        self._lines = {file: self._lines[file] for file in files}
        lines = (json.dumps(line, ensure_ascii=False, allow_nan=False) for line in self._lines.values())
        write_text(self.path, "".join(f"{line}\n" for line in lines))


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Lines that are no records count as missing: they are measured again."""
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and {"file", "scores", "skipped", "suite"} <= line.keys():
            yield line
