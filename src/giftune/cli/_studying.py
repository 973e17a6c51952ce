"""Makes the page of a study with its key, or counts the answers to one."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from giftune.cli._run import plain
from giftune.errors import InputError
from giftune.io.atomic import write_json, write_text
from giftune.report import votes
from giftune.report._answers import read_ballots, read_key
from giftune.report.animation import Sheets
from giftune.report.collect import collect
from giftune.report.study import Study, design, key, pair_up
from giftune.report.study_page import render_study

FOLDER, KEY, PAGE, ANSWERS = "study", "study.json", "index.html", "answers"
TITLE = "Which of the two is better?"
LARGE_MB = 40


def study(given: Sequence[Path], config: DictConfig) -> None:
    """Raises `InputError` before anything is written when there is nothing to compare or to count."""
    settings = plain(config)
    folders = [*given, *([Path(settings["dir"])] if settings["dir"] else [])]
    if settings["results"] is None:
        _make(folders, settings)
        return
    named = settings["results"]
    results = [Path(str(path)) for path in (named if isinstance(named, list) else [named])]
    if not results:
        raise InputError("results is empty, it must name files of answers, or folders of them.")
    print(count(_home(folders, settings["output"], results), _files(results)))


def count_found(folders: Sequence[Path]) -> list[Path]:
    """Count what was put into `answers/` beside a study of these folders; the `study.md` written."""
    homes = [home for folder in folders for home in (folder, folder / FOLDER) if (home / KEY).is_file()]
    written = []
    for home in dict.fromkeys(homes):
        if files := sorted((home / ANSWERS).glob("*.json")):
            count(home, files)
            written.append(home / "study.md")
    return written


def count(home: Path, files: Sequence[Path]) -> str:
    """Write `study.md` and `study.csv` beside the key, and return the former."""
    known = read_key(home / KEY)
    ballots = read_ballots(files, known)
    tallies = votes.count(known, ballots)
    markdown = votes.to_markdown(known, tallies, votes.notes(ballots, tallies))
    write_text(home / "study.md", markdown)
    write_text(home / "study.csv", votes.to_csv(tallies))
    return f"{markdown}\nwritten to {home / 'study.md'} and {home / 'study.csv'}"


def _make(folders: Sequence[Path], settings: Mapping[str, Any]) -> None:
    if not folders:
        raise InputError("dir is missing: name the folder with the edits, as in giftune study runs/ablation.")
    for name in ("limit", "seed", "tile"):
        if not (isinstance(settings[name], int) or (name == "limit" and settings[name] is None)):
            raise InputError(f"{name} is {settings[name]!r}, it must be a whole number.")
    output = Path(settings["output"] or folders[0] / FOLDER)
    results = collect(folders)
    pairs = pair_up(results.arms, settings["a"], settings["b"], settings["pairs"])
    generator = torch.Generator().manual_seed(settings["seed"])
    found = design(results, pairs, settings["limit"], generator)
    if (output / KEY).is_file() and (old := read_key(output / KEY).name) != found.name:
        raise InputError(
            f"output {output} holds another study, {old}, whose answers need its key: choose another output, "
            "or remove it."
        )
    title = str(settings["title"] or TITLE)
    page = render_study(found, Sheets(settings["tile"]), title)
    try:
        (output / ANSWERS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output {output} cannot be made: {error.strerror}.") from error
    write_json(output / KEY, key(found, title, settings["seed"]))
    write_text(output / PAGE, page)
    _tell(found, output)


def _tell(found: Study, output: Path) -> None:
    for first, second in found.pairs:
        number = sum(trial.pair == (first, second) for trial in found.trials)
        print(f"{first} against {second}: {number} comparison{'s' * (number != 1)}")
    if len(found.trials) < found.possible:
        print(f"{len(found.trials)} of {found.possible} possible comparisons; limit=null takes all.")
    for first, second in found.empty:
        print(f"note: {first} and {second} share no clip, prompt and seed whose files are there.")
    megabytes = (output / PAGE).stat().st_size / 1e6
    print(f"study {found.name} in {output}:")
    print(f"  {PAGE}  {megabytes:.1f} MB, for the raters; it names no method")
    print(f"  {KEY}  the key, not for the raters")
    print(f"  {ANSWERS}/  for the files that they save: giftune study results={output / ANSWERS} counts them")
    if megabytes > LARGE_MB:
        print("note: the page is large; a smaller limit or tile makes it smaller.")


def _home(folders: Sequence[Path], output: str | None, results: Sequence[Path]) -> Path:
    """Where the key is: as named, or where the answers are."""
    named = [Path(output)] if output else [place for f in folders for place in (f, f / FOLDER)]
    near = [place for path in results for place in (path, *list(path.absolute().parents)[:2])]
    places = named or near
    for place in places:
        if (place / KEY).is_file():
            return place
    raise InputError(
        f"no {KEY} is in {' or '.join(map(str, dict.fromkeys(places)))}: name the folder of the study, as in "
        "giftune study runs/ablation results=[a.json]."
    )


def _files(results: Iterable[Path]) -> list[Path]:
    """Files as they are, folders as the JSON files in them."""
    files = [file for path in results for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    files = [file for file in files if file.name != KEY]
    if not files:
        raise InputError(f"results has no files of answers: {', '.join(map(str, results))} holds no JSON.")
    return files
