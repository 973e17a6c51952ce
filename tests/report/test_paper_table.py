from dataclasses import replace

import numpy as np
import pytest

from giftune.report.benchmark import benchmark
from giftune.report.bootstrap import Bootstrap
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.listing import numbers
from giftune.report.paper_table import COLUMNS, paper_tables, published
from giftune.report.results import Results, Score
from tests.benchmark_folders import METRICS, Made, write_benchmark


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    made = Made(("giftune", "sdedit"), clips=3, failed=(("sdedit", "clip-1"),))
    return collect([write_benchmark(tmp_path_factory.mktemp("benchmarks") / "b", made)])


def tables(results):
    return paper_tables(benchmark(results, compare(results), Bootstrap(np.random.default_rng(0), 100)))


def measured_with(results, backbone, **more):
    """The same scores, as if another CLIP had measured them."""
    edits = []
    for edit in results.edits:
        scores = {
            name: score._replace(backbone=backbone if name in COLUMNS else score.backbone)
            for name, score in edit.scores.items()
        }
        edits.append(replace(edit, scores=scores | more))
    return Results(tuple(edits))


def test_reruns_and_published_rows_of_another_clip_are_apart(results):
    beside, apart = tables(results)
    assert beside.header == (
        "method", "kind", "frame consistency ↑", "textual faithfulness ↑", "CLIP", "measured on"
    )  # fmt: skip
    assert [row[:2] for row in beside.rows] == [("giftune", "rerun"), ("sdedit", "rerun")]
    assert {row[-2] for row in beside.rows} == {"CLIP emojiworld"}
    assert beside.rows[1][-1] == "8 edits of 2 clips, 4 absent"
    assert {row[1] for row in apart.rows} == {"published", "published, unverified"}
    assert "of other clips, and of another CLIP backbone" in apart.notes[0]
    assert any("must not be put in one ranking" in note for note in beside.notes)


def test_numbers_are_means_in_hundredths_of_a_cosine(results):
    beside, _ = tables(results)
    values = [edit.scores["frame_consistency"].value for edit in results.edits if edit.arm == "giftune"]
    shown, _, _ = beside.rows[0][2].partition(" (")
    assert float(shown) == pytest.approx(np.mean(values), abs=0.05) and np.mean(values) > 90
    assert beside.bold == {(0, 2), (0, 3)}


def test_rows_of_the_same_clip_stand_together(results):
    pick = {"pick_score": Score(20.5, "logit", True, "PickScore_v1")}
    beside, apart = tables(measured_with(results, "CLIP ViT-L-14", **pick))
    kinds = [row[1] for row in beside.rows]
    assert kinds == ["rerun"] * 2 + ["published"] * 6 and "PickScore ↑" in beside.header
    assert {row[-2] for row in beside.rows} == {"CLIP ViT-L-14"}
    assert beside.rows[0][4].startswith("20.5") and max(row for row, _ in beside.bold) < 2
    assert {row[1] for row in apart.rows} == {"published, unverified"}


def test_two_networks_are_two_blocks_with_a_best_each(results):
    other = [replace(e, clip=f"more {e.clip}") for e in measured_with(results, "CLIP ViT-L-14").edits]
    edits = [*results.edits, *other]
    unlike = Results(tuple(
        replace(e, scores={f"{n} ({s.backbone})" if n in COLUMNS else n: s for n, s in e.scores.items()})
        for e in edits
    ))  # fmt: skip
    beside, _ = tables(unlike)
    networks = [row[-2] for row in beside.rows if row[1] == "rerun"]
    assert networks == ["CLIP emojiworld"] * 2 + ["CLIP ViT-L-14"] * 2
    assert {row for row, _ in beside.bold} == {0, 2}


def test_another_scale_or_no_clip_at_all_is_no_row(results):
    scaled = {name: ("cos", *kind[1:]) for name, kind in METRICS.items()}
    edits = tuple(
        replace(e, scores={n: s._replace(unit=scaled[n][0]) for n, s in e.scores.items()})
        for e in results.edits
    )
    assert tables(Results(edits)) == []


def test_published_numbers_say_where_they_are_from_and_what_is_not_verified():
    for table in published():
        assert (
            table["source"] and table["clips"] and table["backbone"] and isinstance(table["verified"], bool)
        )
        for row in table["rows"]:
            assert set(row) <= {"method", *COLUMNS} and row["method"]
            for name in set(row) - {"method"}:
                assert numbers_of(row[name]) and (name == "pick_score" or 20 < numbers_of(row[name])[0] < 100)
    paper, leaderboard, *_ = published()
    assert not paper["verified"] and paper["backbone"] == "not stated" and leaderboard["verified"]
    baseline = leaderboard["rows"][0]
    assert [baseline[name] for name in COLUMNS] == ["92.40", "27.12", "20.36"]


def numbers_of(text):
    return [float(word) for word in text.split(" or ")]


def test_doubt_is_visible_in_the_row_and_below(results):
    _, apart = tables(results)
    doubtful = {row[0] for row in apart.rows if row[1] == "published, unverified"}
    assert doubtful == {"CogVideo", "Plug-and-Play", "Tune-A-Video"}
    (note,) = [note for note in apart.notes if "Unverified" in note]
    assert note.startswith("Tune-A-Video, Wu et al. 2023, table 1")
    assert numbers(apart)[2:5] == [True, True, True]
