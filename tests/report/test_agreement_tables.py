import csv
import io

import pytest

from giftune.report.agreement import Agreement, Correlation
from giftune.report.agreement_tables import listings, to_csv

SURE, UNSURE = Correlation(0.812, 0.5, 0.9, 40, 10, 4), Correlation(-0.1, -0.4, 0.2, 38, 10, 4)
AGREEMENT = Agreement(
    ("flicker", "frame_consistency"),
    ("asked", "trajectory_error"),
    {
        ("edits", "flicker", "asked"): UNSURE,
        ("edits", "frame_consistency", "asked"): SURE,
        ("methods", "flicker", "trajectory_error"): Correlation(1.0, None, None, 4, 1, 4),
    },
)


def test_a_table_for_each_kind_of_ranks():
    edits, methods = listings(AGREEMENT)
    assert edits.header == ("metric", "asked", "trajectory_error")
    assert edits.rows == (
        ("flicker", "−0.10 (−0.40 to +0.20)", "–"), ("frame_consistency", "+0.81 (+0.50 to +0.90)", "–"),
    )  # fmt: skip
    assert edits.bold == {(1, 1)} and methods.rows[0] == ("flicker", "–", "+1.00")
    assert "all edits" in edits.title and "methods" in methods.title
    assert "asked: mean accuracy" in edits.notes[1] and not methods.notes


def test_csv_has_every_number():
    rows = list(csv.DictReader(io.StringIO(to_csv(AGREEMENT))))
    assert len(rows) == 3 and rows[1]["metric"] == "frame_consistency" and rows[2]["low"] == ""
    assert float(rows[1]["rho"]) == pytest.approx(0.812) and int(rows[0]["edits"]) == 38
