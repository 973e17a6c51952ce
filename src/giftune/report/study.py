"""A study of two edits at a time with users, as Tune-A-Video's (Wu et al. 2023, Sec. 5.2): what is shown.

Raters see the source, the prompt and two edits, and answer both of the paper's questions, in our words.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator

from giftune.errors import InputError
from giftune.report.results import Edit, Results

FORMAT = "giftune study 1"
QUESTIONS = {
    "frames": "Which clip has the smoother frames and is more consistent over time?",
    "text": "Which clip matches the text better?",
}
Pair = tuple[str, str]  # two arms


class Trial(NamedTuple):
    """Two edits of one clip, prompt and seed, side by side, and the order of the questions on them."""

    name: str
    pair: Pair
    left: Edit
    right: Edit
    questions: tuple[str, ...]


class Study(NamedTuple):
    """Trials in the order in which they are shown, of `possible` ones; `name` depends on all of it."""

    name: str
    trials: tuple[Trial, ...]
    possible: int
    pairs: tuple[Pair, ...]
    empty: tuple[Pair, ...]  # pairs that share no clip, prompt and seed whose files are there


def pair_up(arms: Sequence[str], a: str | None, b: str | None, pairs: Sequence[Any] | None) -> list[Pair]:
    """The pairs asked for; without `pairs`, all arms against `a` (None: the first), or `b` alone.

    Raises `InputError` for an arm that is not there, for one against itself, and for fewer than two arms.
    """
    if pairs is not None:
        if a is not None or b is not None:
            raise InputError("pairs is set, so a and b must not be.")
        if not pairs or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            raise InputError("pairs must be a list of pairs of arms, as in pairs=[[giftune,sdedit]].")
        wanted = [(str(first), str(second)) for first, second in pairs]
    else:
        if len(arms) < 2:
            raise InputError(f"a study needs two arms to compare, there is only {', '.join(arms) or 'none'}.")
        first = str(a) if a is not None else next(arm for arm in arms if arm != b)
        wanted = [(first, str(b))] if b is not None else [(first, arm) for arm in arms if arm != first]
    for setting, arm in ((name, arm) for pair in wanted for name, arm in zip("ab", pair, strict=True)):
        if arm not in arms:
            where = setting if pairs is None else "pairs"
            raise InputError(f"{where} has {arm!r}, which is not an arm; arms are: {', '.join(arms)}.")
    for first, second in wanted:
        if first == second:
            raise InputError(f"a and b are both {first!r}, a study compares two arms.")
    if len({frozenset(pair) for pair in wanted}) < len(wanted):
        raise InputError("pairs has two arms twice, each pair is compared once.")
    return wanted


def design(results: Results, pairs: Sequence[Pair], limit: int | None, generator: Generator) -> Study:
    """Choose at most `limit` trials, spread over clips and then over pairs; draw sides and order.

    Of each pair either arm is left in half of the trials. Raises `InputError` when no pair shares anything.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}, it must be at least 1.")
    shared = {pair: _shared(results, pair) for pair in pairs}
    found = [(pair, *edits) for pair in pairs for edits in shared[pair]]
    if not found:
        arms = " and ".join(dict.fromkeys(arm for pair in pairs for arm in pair))
        raise InputError(f"{arms} share no clip, prompt and seed whose files are there.")
    mixed = [found[i] for i in torch.randperm(len(found), generator=generator).tolist()]
    chosen = mixed if limit is None or limit >= len(mixed) else _spread(mixed, limit)
    trials = [
        trial
        for pair in pairs
        for trial in _sided(pair, [edits for own, *edits in chosen if own == pair], generator)
    ]
    shown = tuple(trials[i] for i in torch.randperm(len(trials), generator=generator).tolist())
    used = tuple(pair for pair in pairs if any(trial.pair == pair for trial in shown))
    empty = tuple(pair for pair in pairs if not shared[pair])
    contents = [[_described(t), _content(t.left.file), _content(t.right.file)] for t in shown]
    return Study(_hash(contents)[:12], shown, len(found), used, empty)


def key(study: Study, title: str, seed: int) -> dict[str, Any]:
    """What `study.json` holds: which arm was where. The page does not have it."""
    return {
        "format": FORMAT,
        "study": study.name,
        "title": title,
        "seed": seed,
        "questions": QUESTIONS,
        "pairs": [list(pair) for pair in study.pairs],
        "comparisons": [_described(trial) for trial in study.trials],
    }


def _described(trial: Trial) -> dict[str, Any]:
    edit = trial.left
    return {
        "id": trial.name,
        "clip": edit.clip,
        "prompt": edit.prompt,
        "seed": edit.seed,
        "left": trial.left.arm,
        "right": trial.right.arm,
        "pair": list(trial.pair),
        "questions": list(trial.questions),
    }


def _shared(results: Results, pair: Pair) -> list[tuple[Edit, Edit]]:
    """Edits of the same clip, prompt and seed whose files are there."""
    first, second = (
        {(e.clip, e.prompt, e.seed): e for e in results.edits if e.arm == arm and e.file.exists()}
        for arm in pair
    )
    return [(first[place], second[place]) for place in first if place in second]


def _spread(mixed: Sequence[tuple[Pair, Edit, Edit]], limit: int) -> list[tuple[Pair, Edit, Edit]]:
    """One after the other, of the clip, then of the pair, that has been taken least so far."""
    left, taken = list(mixed), []
    clips: Counter[str] = Counter()
    counts: Counter[Pair] = Counter()
    for _ in range(limit):
        place = min(range(len(left)), key=lambda i: (clips[left[i][1].clip], counts[left[i][0]], i))
        taken.append(left.pop(place))
        pair, edit, _ = taken[-1]
        clips[edit.clip] += 1
        counts[pair] += 1
    return taken


def _sided(pair: Pair, edits: Sequence[Sequence[Edit]], generator: Generator) -> list[Trial]:
    """Either arm on the left, and either question first, as often as the other."""
    swaps, turns = (_coins(len(edits), generator) for _ in range(2))
    return [
        Trial(
            _trial_name(pair, first),
            pair,
            *((second, first) if swap else (first, second)),
            tuple(QUESTIONS)[:: -1 if turn else 1],
        )
        for (first, second), swap, turn in zip(edits, swaps, turns, strict=True)
    ]


def _coins(count: int, generator: Generator) -> list[bool]:
    """As many of one kind as of the other, or one more, in random order."""
    odd = int(torch.randint(2, (), generator=generator))
    return [bool((i + odd) % 2) for i in torch.randperm(count, generator=generator).tolist()]


def _trial_name(pair: Pair, edit: Edit) -> str:
    """The same whichever arm is called first, so that it says nothing of the sides."""
    return _hash([sorted(pair), edit.clip, edit.prompt, edit.seed])[:10]


def _content(path: Path) -> str:
    """So that answers to edits that were drawn anew since are not taken for answers to these."""
    files = [path] if path.is_file() else sorted(file for file in path.glob("*") if file.is_file())
    return _hash([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
