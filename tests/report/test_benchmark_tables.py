import csv
import io

import numpy as np
import pytest

from giftune.report.benchmark import benchmark
from giftune.report.benchmark_tables import by_clip_csv, failures, listings, to_csv
from giftune.report.bootstrap import Bootstrap
from giftune.report.collect import collect
from giftune.report.comparison import compare
from tests.benchmark_folders import BADNESS, METRICS, PROMPTS, Made, write_benchmark


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    made = Made(clips=4, failed=(("sdedit", "clip-1"),))
    results = collect([write_benchmark(tmp_path_factory.mktemp("benchmarks") / "b", made)])
    return benchmark(results, compare(results), Bootstrap(np.random.default_rng(0), 400))


def table(found, title, shown=()):
    (wanted,) = [listing for listing in listings(found, shown) if listing.title.startswith(title)]
    return wanted


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_table_is_rectangular(found):
    for listing in [*listings(found), *failures(found)]:
        assert listing.rows and {len(row) for row in listing.rows} == {len(listing.header)}
        assert all(row < len(listing.rows) and column < len(listing.header) for row, column in listing.bold)


def test_by_type_has_a_row_for_each_type_and_method(found):
    listing = table(found, "By type", ["flicker"])
    assert [row[:2] for row in listing.rows] == [(t, arm) for t in ("all", *PROMPTS) for arm in BADNESS]
    assert listing.header == ("type", "method", "edits", "flicker [grey levels] ↓")
    assert [row[2] for row in listing.rows[:4]] == ["16", "16", "16", "12"]
    for group in range(5):
        values = [float(row[3]) for row in listing.rows[4 * group : 4 * group + 4]]
        (best,) = [row for row, _ in listing.bold if row // 4 == group]
        assert values[best % 4] == min(values)


def test_differences_carry_sign_interval_and_verdict(found):
    listing = table(found, "Difference to giftune", ["flicker", "textual_faithfulness"])
    assert [row[0] for row in listing.rows] == ["tune_a_video", "text2video_zero", "sdedit"]
    assert [row[1] for row in listing.rows] == ["16", "16", "12"]
    worst = dict(zip(listing.header, listing.rows[-1], strict=True))
    flicker, text = worst["flicker [grey levels] ↓"], worst["textual_faithfulness [100 cos] ↑"]
    assert flicker.startswith("+") and flicker.endswith("▼") and text.startswith("−") and text.endswith("▼")
    assert any("4 clips are few" in note for note in listing.notes)


def test_time_and_memory(found):
    listing = table(found, "Time and memory")
    assert listing.header == ("method", "cells", "tuning [s]", "sampling [s]", "peak memory [MB]")
    assert listing.rows[0] == ("giftune", "4", "21.5", "8.0", "900")


def test_what_is_missing_is_listed(found):
    (listing,) = failures(found)
    assert listing.rows == (("method=sdedit,data.clip=clip-1,seed=33", "failed", "not enough memory."),)
    clips = table(found, "trajectory_error [px] ↓, clip by clip")
    assert clips.header == ("clip", "edits", *BADNESS) and len(clips.rows) == 4
    assert clips.rows[1][-1] == "–" and float(clips.rows[0][2]) < float(clips.rows[0][-1])


def test_csv_has_every_number(found):
    rows = read(to_csv(found))
    assert len(rows) == 5 * len(BADNESS) * len(METRICS)
    row = next(r for r in rows if (r["group"], r["method"], r["metric"]) == ("style", "sdedit", "flicker"))
    number = found.numbers["style", "sdedit", "flicker"]
    assert float(row["mean"]) == number.value.value and float(row["low"]) == number.value.low
    assert float(row["difference"]) == number.difference.value and int(row["pairs"]) == 3
    assert {r["difference"] for r in rows if r["method"] == "giftune"} == {""}


def test_csv_by_clip(found):
    rows = read(by_clip_csv(found))
    assert len(rows) == (4 * len(BADNESS) - 1) * len(METRICS)
    own = {
        row["clip"]: float(row["mean"])
        for row in rows
        if (row["method"], row["metric"]) == ("giftune", "flicker")
    }
    assert np.mean(list(own.values())) == pytest.approx(
        found.numbers["all", "giftune", "flicker"].value.value
    )
