"""DAVIS-2017 and everything in its layout, with a prompt sheet.

`JPEGImages/480p/NAME/*.jpg` are the frames, `Annotations/480p/NAME/*.png` the masks (Pont-Tuset et al. 2017).
"""

from dataclasses import dataclass
from pathlib import Path

from giftune.data.collection import Collection
from giftune.data.sheet import Entry, read_sheet
from giftune.errors import InputError
from giftune.io.frames import frame_files


@dataclass
class Davis(Collection):
    """A pixel of any annotated object belongs to the subject; `use_masks` false does without annotations."""

    sheet: str | Path = "davis42"
    resolution: str = "480p"
    use_masks: bool = True

    def listed(self) -> tuple[Entry, ...]:
        for needed in ("JPEGImages", "Annotations")[: 1 + self.use_masks]:
            if not (Path(self.path) / needed / self.resolution).is_dir():
                raise InputError(
                    f"path {self.path} is not laid out as DAVIS: it has no {needed}/{self.resolution}."
                )
        return read_sheet(self.sheet, self.path)

    def find(self, name: str) -> Path:
        folder = Path(self.path) / "JPEGImages" / self.resolution / name
        _require_all(folder)
        if masks := self.masks(name):
            missing = [stem for stem in self.chosen(folder) if not (masks / f"{stem}.png").is_file()]
            if missing:
                raise InputError(f"path {masks} has no mask {missing[0]}.png{_more(missing)}.")
        return folder

    def masks(self, name: str) -> Path | None:
        return Path(self.path) / "Annotations" / self.resolution / name if self.use_masks else None


def _require_all(folder: Path) -> None:
    """Raises `InputError` if the numbers of the frames have gaps."""
    stems = [file.stem for file in frame_files(folder)]
    numbers = {int(stem) for stem in stems if stem.isdigit()}
    missing = sorted(set(range(min(numbers), max(numbers))) - numbers) if numbers else []
    if missing:
        first = f"{missing[0]:0{len(stems[0])}d}"
        raise InputError(f"path {folder} has no frame {first}{_more(missing)}, though it has later ones.")


def _more(missing: list) -> str:
    return f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
