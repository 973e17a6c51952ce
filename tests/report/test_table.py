import csv
import io
import re
from dataclasses import replace

import pytest

from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.results import Results
from giftune.report.table import notes, to_csv, to_latex, to_markdown

NASTY = r"50% of_a\b {$x^2$} & #1 ~ <i>|*"


@pytest.fixture(scope="module")
def results(ablation):
    return collect([ablation])


@pytest.fixture(scope="module")
def comparison(results):
    return compare(results)


def rows_of(comparison):
    return list(csv.DictReader(io.StringIO(to_csv(comparison))))


def markdown_cells(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def latex_cells(text):
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [[cell.strip() for cell in line.removesuffix(r"\\").split(" & ")] for line in lines]


def test_csv_holds_every_digit(comparison):
    rows = rows_of(comparison)
    assert len(rows) == len(comparison.cells)
    for row in rows:
        cell = comparison.cells[row["arm"], row["metric"]]
        assert (float(row["mean"]), float(row["low"])) == (cell.value.mean, cell.value.low)
        assert row["verdict"] == cell.verdict and row["best"] == str(cell.best)
        assert (row["difference"] == "") == (row["arm"] == "full")
        assert row["backbone"] and int(row["n"]) == cell.value.n


def test_csv_markdown_and_latex_agree(comparison):
    rows = {(row["arm"], row["metric"]): row for row in rows_of(comparison)}
    markdown, latex = markdown_cells(to_markdown(comparison)), latex_cells(to_latex(comparison))
    assert len(markdown) == len(comparison.arms) + 2 and len(latex) == len(comparison.arms) + 1
    for place, arm in enumerate(comparison.arms):
        for column, metric in enumerate(comparison.metrics, start=1):
            row, mark = rows[arm, metric.name], {"better": "▲", "worse": "▼", "": ""}
            half = (float(row["high"]) - float(row["low"])) / 2
            shown = [f"{float(row['mean']):.{metric.decimals}f}", f"{half:.{metric.decimals}f}"]
            cells = markdown[place + 2][column], latex[place + 1][column]
            for cell in cells:
                assert re.findall(r"\d+\.?\d*", cell) == shown
            assert ("**" in cells[0]) == (r"\textbf" in cells[1]) == (row["best"] == "True")
            assert cells[0].endswith(mark[row["verdict"]])
            assert (r"\blacktriangledown" in cells[1]) == (row["verdict"] == "worse")
            assert (r"\blacktriangle}" in cells[1]) == (row["verdict"] == "better")


def test_latex_is_a_table_of_booktabs(comparison):
    text = to_latex(comparison)
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert rf"\begin{{tabular}}{{l{'r' * len(comparison.metrics)}}}" in text
    assert {line.count("&") for line in text.splitlines() if line.endswith(r"\\")} == {
        len(comparison.metrics)
    }


def test_names_are_escaped(results):
    edits = tuple(replace(e, arm=NASTY) if e.arm == "full" else e for e in results.edits)
    comparison = compare(Results(edits), NASTY)
    (line,) = (line for line in to_latex(comparison).splitlines() if line.startswith("50"))
    shown = line.split(r" & \textbf")[0]
    for word, letter in (("backslash", "\\"), ("asciicircum", "^"), ("asciitilde", "~"), ("less", "<"),
                         ("greater", ">"), ("bar", "|")):  # fmt: skip
        shown = shown.replace(rf"\text{word}{{}}", letter)
    assert re.sub(r"\\([%_{}$&#])", r"\1", shown) == NASTY
    plain = re.sub(r"\\([\\`*_\[\]<>|~#$])", r"\1", markdown_cells(to_markdown(comparison))[2][0])
    assert plain == NASTY
    assert rows_of(comparison)[0]["arm"] == NASTY


def test_notes_say_what_it_takes_to_read_the_numbers(comparison):
    said = " ".join(notes(comparison))
    assert "n = 5 to 6" in said and "worse than full" in said and "not corrected" in said
    assert "CLIP tiny (frame_consistency, textual_faithfulness)" in said
    assert "Not measured: pick_score: the weights of PickScore are not here." in said
    assert all(note in to_latex(comparison) for note in notes(comparison))


def test_one_clip_with_one_seed_has_no_interval(results):
    comparison = compare(Results(results.edits[:2]))
    said = " ".join(notes(comparison))
    assert "n = 1" in said and "no interval can be given" in said and "better" not in said
    assert "±" not in to_markdown(comparison)
