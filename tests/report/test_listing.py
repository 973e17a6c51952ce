import re

from giftune.report.listing import Listing, numbers, to_latex, to_markdown

NASTY = r"50% of_a\b {$x^2$} & #1 ~ <i>|*"
LISTING = Listing(
    "By type", ("name", "a ↑", "b"), (("one", "−1.2", "x"), (NASTY, "+3 (2 to 4) ▲", "–")), ("said",),
    frozenset({(1, 1)}),
)  # fmt: skip


def test_numbers_stand_on_the_right():
    assert numbers(LISTING) == [False, True, False]
    assert numbers(LISTING._replace(rows=())) == [False] * 3
    shown = [("12 to 14",), ("27.58 or 27.12",), ("0.851 (0.786 to 0.914)",), ("–",), ("+1 ▼",), ("100",)]
    assert numbers(Listing("", ("x",), tuple(shown))) == [True]
    for text in ("24 edits of 6 clips", "42 videos", "CLIP", ""):
        assert numbers(Listing("", ("x",), ((text,),))) == [False]


def test_markdown_has_as_many_cells_in_every_line():
    text = to_markdown(LISTING)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert [len(re.split(r"(?<!\\)\|", line)) for line in table] == [5] * 4
    assert table[1] == "| --- | ---: | --- |" and "**+3 (2 to 4) ▲**" in table[3]
    assert text.startswith("## By type\n\n") and text.endswith("\nsaid\n")
    assert not to_markdown(LISTING._replace(notes=())).endswith("\n\n")


def test_latex_escapes_what_means_something_there():
    text = to_latex(LISTING)
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert r"\begin{tabular}{lrl}" in text and text.startswith("% By type\n% said\n")
    assert [len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")] == [
        2,
        2,
    ]
    assert r"\textbf{+3 (2 to 4) $\blacktriangle$}" in body and "$-$1.2" in body
    assert r"50\% of\_a\textbackslash{}b" in body and not re.search(r"(?<!\\)[%#_]", body)
