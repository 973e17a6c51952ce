"""The key of a study and the answers to it, as files: each is refused, in a sentence, unless it is whole."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from giftune.errors import InputError
from giftune.report._entries import DAMAGE, text
from giftune.report.study import FORMAT, QUESTIONS
from giftune.report.study_page import ANSWERS

Asked = tuple[str, str]  # a comparison and a question
SIDES = ("left", "right")


class Compared(NamedTuple):
    """One comparison of the key."""

    clip: str
    prompt: str
    seed: str | None
    pair: tuple[str, str]
    left: str
    right: str


class Key(NamedTuple):
    """What `study.json` says."""

    name: str
    title: str
    pairs: tuple[tuple[str, str], ...]
    comparisons: Mapping[str, Compared]


class Ballot(NamedTuple):
    """One rater's answers: the side that was chosen."""

    rater: str
    sides: Mapping[Asked, str]


def read_key(path: Path) -> Key:
    """Raises `InputError` for what is no `study.json`."""
    content = _object(path, "study")
    if content.get("format") != FORMAT:
        raise InputError(f"study {path} is not the key of a study: its format is {content.get('format')!r}.")
    try:
        found = {text(entry["id"]): _compared(entry) for entry in content["comparisons"]}
        pairs = tuple((text(first), text(second)) for first, second in content["pairs"])
        if not found or {compared.pair for compared in found.values()} - set(pairs):
            raise ValueError("pairs and comparisons do not fit")
        return Key(text(content["study"]), text(content["title"]), pairs, found)
    except DAMAGE as error:
        raise InputError(f"study {path} is damaged: {_reason(error)}.") from error


def read_ballots(paths: Sequence[Path], key: Key) -> list[Ballot]:
    """Raises `InputError` for a file that is damaged or of another study, and for a rater who comes twice."""
    found: dict[str, tuple[Path, Ballot]] = {}
    for path in paths:
        ballot = _ballot(path, key)
        if ballot.rater in found:
            raise InputError(
                f"results {found[ballot.rater][0]} and {path} are both by the rater {ballot.rater!r}: "
                "leave one out, or change rater in one of them if they are two people."
            )
        found[ballot.rater] = path, ballot
    return [ballot for _, ballot in found.values()]


def _ballot(path: Path, key: Key) -> Ballot:
    content = _object(path, "results")
    if content.get("format") != ANSWERS:
        raise InputError(f"results {path} holds no answers to a study: its format is not {ANSWERS!r}.")
    if content.get("study") != key.name:
        raise InputError(f"results {path} answers another study, {content.get('study')}, not {key.name}.")
    try:
        rater, sides = text(content["rater"]), {}
        for entry in content["answers"]:
            asked = text(entry["comparison"]), text(entry["question"])
            if asked[0] not in key.comparisons or asked[1] not in QUESTIONS:
                raise ValueError(f"it answers {'/'.join(asked)}, which was not asked")
            if entry["side"] not in SIDES:
                raise ValueError(f"its side is {entry['side']!r}, not left or right")
            if asked in sides:
                raise ValueError(f"it answers {'/'.join(asked)} twice")
            sides[asked] = entry["side"]
    except DAMAGE as error:
        raise InputError(f"results {path} is damaged: {_reason(error)}.") from error
    return Ballot(rater, sides)


def _compared(entry: Mapping[str, Any]) -> Compared:
    first, second = entry["pair"]
    left, right = text(entry["left"]), text(entry["right"])
    if {left, right} != {first, second} or left == right:
        raise ValueError(f"{entry['id']} shows {left} and {right} for the pair {first} and {second}")
    seed = entry["seed"]
    return Compared(text(entry["clip"]), text(entry["prompt"]), seed, (first, second), left, right)


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _object(path: Path, setting: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{setting} {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{setting} {path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{setting} {path} must hold a JSON object, not {type(content).__name__}.")
    return content
