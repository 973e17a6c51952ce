"""WebVid and every folder of videos with a table in its columns (Bain et al. 2021, ICCV)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from giftune.data.clip_files import ClipFiles
from giftune.data.clip_rows import Rows
from giftune.data.clip_source import Skip
from giftune.errors import InputError

COLUMNS = ("videoid", "contentUrl", "duration", "page_dir", "name")


@dataclass(kw_only=True)
class WebVid(ClipFiles):
    """`name` is the caption; `layout` says from the columns where a clip is, seen from the folder."""

    layout: str = "{page_dir}/{videoid}.mp4"

    def __post_init__(self) -> None:
        try:
            named = [name for _, name, *_ in Formatter().parse(self.layout) if name is not None]
        except ValueError as error:
            raise InputError(f"corpus.layout {self.layout!r} cannot be read: {error}.") from error
        if "videoid" not in named or not set(named) <= set(COLUMNS):
            raise InputError(
                f"corpus.layout is {self.layout!r}, it must name {{videoid}}, and may {{page_dir}}."
            )
        super().__post_init__()

    def read_table(self, path: Path, judge: Callable[[Mapping[str, str]], Skip | None]) -> Rows:
        return Rows(path, judge, needed=("videoid", "page_dir", "name"))

    def file(self, row: Mapping[str, str]) -> str:
        return self.layout.format_map(row).lstrip("/")  # page_dir may be empty

    def caption(self, row: Mapping[str, str]) -> str:
        return row["name"]
