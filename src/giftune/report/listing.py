"""A small table of text, as Markdown and LaTeX."""

import re
from collections.abc import Callable
from typing import NamedTuple

from giftune.report import _markup

_NUMBER = re.compile(r"[+−]?[\d.]+( \(| [▲▼]?$| (?:to|or) [\d.]+$|$)|–$")
LATEX_NEEDS = r"% needs \usepackage{booktabs,amssymb}"


class Listing(NamedTuple):
    """Rows under a header; `bold` are places in them by row and column."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = frozenset()
    long: bool = False  # folded where it is shown, or left to a file of its own


def to_markdown(listing: Listing) -> str:
    rule = ["---:" if numeric else "---" for numeric in numbers(listing)]
    lines = [
        list(map(_markup.to_markdown, listing.header)),
        rule,
        *_cells(listing, _markup.to_markdown, "**{}**"),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    said = "\n\n".join(map(_markup.to_markdown, listing.notes))
    return f"## {_markup.to_markdown(listing.title)}\n\n{table}\n" + (f"\n{said}\n" if said else "")


def to_latex(listing: Listing) -> str:
    """A `tabular` with the rules of booktabs; title and notes are comments."""
    header = _line([_markup.to_latex(name) for name in listing.header])
    rows = [_line(cells) for cells in _cells(listing, _markup.to_latex, r"\textbf{{{}}}")]
    said = [f"% {text}" for text in (listing.title, *listing.notes)]
    begin = rf"\begin{{tabular}}{{{''.join('r' if numeric else 'l' for numeric in numbers(listing))}}}"
    body = [r"\toprule", header, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*said, begin, *body, r"\end{tabular}"]) + "\n"


def numbers(listing: Listing) -> list[bool]:
    """Of each column, whether it holds nothing but numbers, which stand on the right."""
    columns = zip(*listing.rows, strict=True) if listing.rows else [()] * len(listing.header)
    return [bool(cells) and all(map(_NUMBER.match, cells)) for cells in columns]


def _cells(listing: Listing, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    return [
        [
            bold.format(escape(cell)) if (row, column) in listing.bold else escape(cell)
            for column, cell in enumerate(cells)
        ]
        for row, cells in enumerate(listing.rows)
    ]


def _line(cells: list[str]) -> str:
    return rf"{' & '.join(cells)} \\"
