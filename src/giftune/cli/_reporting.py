"""Collects results, compares them, writes the report and says where it is."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from giftune.cli._run import plain
from giftune.cli._studying import count_found
from giftune.errors import InputError
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.write import write_report

LARGE_MB = 40


def report(given: Sequence[Path], config: DictConfig) -> None:
    """Raises `InputError` when there is nothing to report, before anything is written."""
    settings = plain(config)
    folders = [*given, *([Path(settings["dir"])] if settings["dir"] else [])]
    if not folders:
        raise InputError("dir is missing: name the folder to report on, as in giftune report runs/ablation.")
    results = collect(folders)
    comparison = compare(results, settings["reference"], settings["metrics"])
    output = Path(settings["output"] or folders[0] / "report")
    title = settings["title"] or " and ".join(folder.resolve().name for folder in folders)
    files = write_report(
        results, comparison, output, str(title), settings["shown"], settings["embed"], settings["tile"]
    )
    counts = {"edit": results.edits, "arm": comparison.arms, "metric": comparison.metrics}
    print(", ".join(_count(len(found), word) for word, found in counts.items()))
    for note in results.notes:
        print(f"note: {note}")
    if results.failures:
        missing = _count(len(results.failures), "missing cell")
        print(f"note: {missing}, {results.failures[0].cell} first: {results.failures[0].reason.rstrip('.')}.")
    print(f"report in {output}:")
    for file in files:
        print(f"  {file.relative_to(output)}  {_size(file)}")
    for file in count_found(folders):
        print(f"answers to the user study are counted in {file}")
    if settings["embed"] and files[0].stat().st_size > LARGE_MB * 1e6:
        print(
            "note: the page is large; embed=false keeps its pictures in files, tile=128 makes them smaller."
        )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
