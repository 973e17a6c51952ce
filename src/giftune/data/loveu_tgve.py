"""LOVEU-TGVE-2023: 76 videos with four edits each, from the competition at CVPR 2023.

`SUBSET/480p_frames/NAME/*.jpg` are the frames, `LOVEU-TGVE-2023_Dataset.csv` has captions and prompts; rows
without a caption are its headings.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from giftune.data.collection import Collection
from giftune.data.sheet import Entry, entry
from giftune.errors import InputError

TABLE = "LOVEU-TGVE-2023_Dataset.csv"
NAME, CAPTION = "Video name", "Our GT caption"
EDITS = {
    "Style Change Caption": "style",
    "Object Change Caption": "object",
    "Background Change Caption": "background",
    "Multiple Changes Caption": "multiple",
}


@dataclass
class LoveuTgve(Collection):
    """Whichever subset a video is in: names are unique."""

    frames: str = "480p_frames"

    def listed(self) -> tuple[Entry, ...]:
        return read_table(Path(self.path) / TABLE)

    def find(self, name: str) -> Path:
        found = sorted(Path(self.path).glob(f"*/{self.frames}/{name}"))
        if not found:
            raise InputError(f"path {self.path} has no */{self.frames}/{name}.")
        return found[0]


def read_table(path: Path) -> tuple[Entry, ...]:
    """The table's entries; raises `InputError` for other columns, and for an edit without prompt."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"path {path} cannot be read: {error}.") from error
    found = [column.strip() for column in rows[0]] if rows else []
    needed = [NAME, CAPTION, *EDITS]
    if missing := [column for column in needed if column not in found]:
        raise InputError(
            f"path {path} has no column {', '.join(missing)}: its columns are "
            f"{', '.join(found) or 'none'}, needed are {', '.join(needed)}."
        )
    lines = [dict(zip(found, (cell.strip() for cell in row), strict=False)) for row in rows[1:]]
    videos = [line for line in lines if line.get(CAPTION)]
    if not videos:
        raise InputError(f"path {path} has no videos: none of its rows has a caption.")
    return tuple(
        entry(f"path {path}", line[NAME], line[CAPTION], [(line.get(c), kind) for c, kind in EDITS.items()])
        for line in videos
    )
