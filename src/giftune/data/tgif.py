"""TGIF: animated GIFs with a sentence each (Li et al. 2016, CVPR)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from giftune.data.clip_files import ClipFiles
from giftune.data.clip_rows import Rows
from giftune.data.clip_source import Skip


@dataclass(kw_only=True)
class Tgif(ClipFiles):
    """The table has an address and a caption in each row, and no heading.

    A GIF is called as in its address; the same one may come with several captions.
    """

    table: str | Path = "tgif-v1.0.tsv"

    def read_table(self, path: Path, judge: Callable[[Mapping[str, str]], Skip | None]) -> Rows:
        return Rows(path, judge, needed=("url", "caption"), columns=("url", "caption"), delimiter="\t")

    def file(self, row: Mapping[str, str]) -> str:
        return PurePosixPath(urlsplit(row["url"]).path).name

    def caption(self, row: Mapping[str, str]) -> str:
        return row["caption"]
