"""The folder of a report: the page, and its table in three forms."""

from collections.abc import Sequence
from pathlib import Path

from giftune.errors import InputError
from giftune.io.atomic import write_text
from giftune.report.animation import Sheets
from giftune.report.comparison import Comparison
from giftune.report.page import render
from giftune.report.results import Results
from giftune.report.table import to_csv, to_latex, to_markdown

MEDIA = "media"


def write_report(
    results: Results,
    comparison: Comparison,
    folder: Path,
    title: str,
    shown: Sequence[str] = (),
    embed: bool = True,
    tile: int = 256,
) -> list[Path]:
    """Write `index.html`, `table.csv`, `table.md` and `table.tex`; without `embed`, pictures into `media/`.

    Raises `InputError` for a folder that cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not embed:
            (folder / MEDIA).mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"output {folder} cannot be made: {error.strerror}.") from error
    sheets = Sheets(tile, None if embed else folder / MEDIA)
    texts = {
        "index.html": render(results, comparison, sheets, title, shown),
        "table.csv": to_csv(comparison),
        "table.md": to_markdown(comparison),
        "table.tex": to_latex(comparison),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
