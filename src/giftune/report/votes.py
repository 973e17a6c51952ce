"""Answers to a study, counted by majority vote over the raters of a comparison (Wu et al. 2023, Sec. 5.2)."""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from giftune.report._answers import Asked, Ballot, Key
from giftune.report.study import QUESTIONS

LEVEL = 0.95
COLUMNS = (
    "a", "b", "question", "comparisons", "won_a", "tied", "won_b", "unanswered", "share_a", "low", "high",
    "votes_a", "votes_b", "agreement", "rater_pairs",
)  # fmt: skip


class Tally(NamedTuple):
    """One pair of arms on one question: comparisons by their majority, and single votes.

    `agree` of the `rater_pairs`, two raters of one comparison, chose the same.
    """

    a: str
    b: str
    question: str
    won_a: int
    tied: int
    won_b: int
    unanswered: int
    votes_a: int
    votes_b: int
    agree: int
    rater_pairs: int

    @property
    def comparisons(self) -> int:
        return self.won_a + self.tied + self.won_b + self.unanswered

    @property
    def share(self) -> float | None:
        """Of the comparisons with a majority, those that `a` won."""
        decided = self.won_a + self.won_b
        return self.won_a / decided if decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's of `share`."""
        decided = self.won_a + self.won_b
        return wilson(self.won_a, decided) if decided else None

    @property
    def agreement(self) -> float | None:
        return self.agree / self.rater_pairs if self.rater_pairs else None


def wilson(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), without correction for continuity."""
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    share = successes / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def count(key: Key, ballots: Sequence[Ballot]) -> list[Tally]:
    """A tally for each pair and question."""
    votes: Counter[tuple[Asked, str]] = Counter()
    for ballot in ballots:
        for asked, side in ballot.sides.items():
            compared = key.comparisons[asked[0]]
            votes[asked, compared.left if side == "left" else compared.right] += 1
    return [_tally(key, votes, pair, question) for pair in key.pairs for question in QUESTIONS]


def _tally(key: Key, votes: Counter[tuple[Asked, str]], pair: tuple[str, str], question: str) -> Tally:
    a, b = pair
    found = [
        tuple(votes[(name, question), arm] for arm in pair)
        for name, compared in key.comparisons.items()
        if compared.pair == pair
    ]
    return Tally(
        a,
        b,
        question,
        won_a=sum(first > second for first, second in found),
        tied=sum(first == second > 0 for first, second in found),
        won_b=sum(first < second for first, second in found),
        unanswered=sum(first == second == 0 for first, second in found),
        votes_a=sum(first for first, _ in found),
        votes_b=sum(second for _, second in found),
        agree=sum(math.comb(votes, 2) for both in found for votes in both),
        rater_pairs=sum(math.comb(sum(both), 2) for both in found),
    )


def notes(ballots: Sequence[Ballot], tallies: Sequence[Tally]) -> list[str]:
    """What it takes to read the numbers, a sentence each."""
    raters = ", ".join(f"{ballot.rater} ({len(ballot.sides)})" for ballot in ballots)
    said = [
        f"{len(ballots)} rater{'s' * (len(ballots) != 1)}, with their answers: {raters}.",
        "Each comparison goes to the arm that most raters chose.",
        "Preferred: of the comparisons with a majority, the share that a won, with Wilson's 95 % interval; "
        "comparisons of one clip are counted as independent.",
    ]
    if ties := sum(tally.tied for tally in tallies):
        said.append(f"Tied, with as many raters for one as for the other, and not in the share: {ties}.")
    if unanswered := sum(tally.unanswered for tally in tallies):
        said.append(f"Without any answer yet: {unanswered}.")
    if any(tally.rater_pairs for tally in tallies):
        said.append("Agreement: of all pairs of raters of one comparison, the share that chose the same.")
    sides = Counter(side for ballot in ballots for side in ballot.sides.values())
    if total := sides.total():
        said.append(f"The left one was chosen in {_percent(sides['left'] / total)} of {total} answers.")
    return said


def to_markdown(key: Key, tallies: Sequence[Tally], said: Sequence[str]) -> str:
    """A table for people, with its notes."""
    asked = " ".join(f"*{name}*: {words}" for name, words in QUESTIONS.items())
    header = ("a", "b", "question", "a preferred", "a : tied : b", "votes", "agreement")
    lines = [header, ("---",) * 3 + ("---:",) * 4, *(_row(tally) for tally in tallies)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    words = [f"# {_escape(key.title)}", f"Study {key.name}. {asked}", table, *map(_escape, said)]
    return "\n\n".join(words) + "\n"


def _row(tally: Tally) -> tuple[str, ...]:
    share = _percent(tally.share)
    if tally.interval is not None:
        low, high = map(_percent, tally.interval)
        share = f"{share} ({low} to {high})"
    return (
        _escape(tally.a),
        _escape(tally.b),
        tally.question,
        share,
        f"{tally.won_a} : {tally.tied} : {tally.won_b}",
        f"{tally.votes_a} : {tally.votes_b}",
        _percent(tally.agreement),
    )


def to_csv(tallies: Sequence[Tally]) -> str:
    """One line for each pair and question, with every digit."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for tally in tallies:
        low, high = tally.interval or (None, None)
        known = {"comparisons": tally.comparisons, "share_a": tally.share, "agreement": tally.agreement}
        writer.writerow({**tally._asdict(), **known, "low": low, "high": high})
    return text.getvalue()


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _escape(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|~#" else letter for letter in text)
