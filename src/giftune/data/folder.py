"""A folder of your own clips with a prompt sheet: GIFs, videos, and folders of pictures."""

from dataclasses import dataclass
from glob import escape
from pathlib import Path

from giftune.data.collection import Collection
from giftune.data.sheet import Entry, read_sheet
from giftune.errors import InputError
from giftune.io.header import sniff
from giftune.io.limits import DEFAULT_LIMITS


@dataclass
class Folder(Collection):
    """A clip is the file or folder of its name in the sheet, which may leave out the ending."""

    sheet: str | Path = "prompts.yaml"  # beside the clips, unless it is another path

    def listed(self) -> tuple[Entry, ...]:
        if not Path(self.path).is_dir():
            raise InputError(f"path {self.path} is not a folder.")
        return read_sheet(self.sheet, self.path)

    def find(self, name: str) -> Path:
        exact = Path(self.path) / name
        if exact.exists():
            return exact
        found = sorted(file for file in Path(self.path).glob(f"{escape(name)}.*") if file.stem == name)
        if len(found) > 1:
            found = [file for file in found if _is_clip(file)] or found
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise InputError(f"path {exact} can be any of {names}, the sheet must say which.")
        if not found:
            raise InputError(f"path {exact} does not exist.")
        return found[0]


def _is_clip(file: Path) -> bool:
    try:
        return bool(sniff(file, DEFAULT_LIMITS))
    except InputError:
        return False
