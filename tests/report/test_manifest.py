import json

import pytest

from giftune.report._lines import Reader
from giftune.report.collect import collect
from giftune.report.manifest import read_manifest

SCORE = {"value": 3.5, "unit": "px", "higher_is_better": False, "backbone": "pixels"}
MANIFEST = {
    "sources": [{"file": "source/cat.gif", "caption": "a cat"}],
    "results": [
        {"file": "a/dog.gif", "source": "cat", "prompt": "a dog", "method": "A", "seed": 3,
         "scores": {"drift": SCORE}, "seconds": 2, "tuning_seconds": 60},
        {"file": "b/dog.gif", "source": "source/cat.gif", "prompt": "a dog", "method": "B"},
    ],
}  # fmt: skip


def test_results_and_sources_are_matched(tmp_path):
    first, second = read_manifest(tmp_path, MANIFEST, Reader())
    assert (
        first.file == tmp_path / "a/dog.gif" and first.source == second.source == tmp_path / "source/cat.gif"
    )
    assert (first.arm, first.clip, first.source_prompt, first.seed) == ("A", "cat", "a cat", "3")
    assert (second.arm, second.clip, second.source_prompt, second.seed) == ("B", "cat", "a cat", None)
    assert first.scores["drift"]._asdict() == SCORE and second.scores == {}
    assert (first.seconds, first.run.tuning_seconds) == (2.0, 60.0)


def test_scores_beside_a_result(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "dog.scores.json").write_text(json.dumps({"scores": {"flicker": SCORE}}))
    assert list(read_manifest(tmp_path, MANIFEST, Reader())[1].scores) == ["flicker"]


@pytest.mark.parametrize("entry", [{}, 3, {"file": "x.gif", "source": "cat", "prompt": 3, "method": "A"}])
def test_damaged_entries_are_counted(tmp_path, entry):
    reader = Reader()
    content = {"sources": [*MANIFEST["sources"], entry], "results": [*MANIFEST["results"], entry]}
    assert len(read_manifest(tmp_path, content, reader)) == 2
    # as a source, text for the file is enough
    assert reader.damaged[tmp_path / "manifest.json"] == (1 if entry and entry != 3 else 2)


def test_the_published_gifs(shared_folder):
    results = collect([shared_folder / "published"])
    assert results.arms == ["Tune-A-Video (published)"] and results.notes == ()
    assert len(results.edits) == 8 and all(edit.file.is_file() for edit in results.edits)
    assert all(edit.source.is_file() and edit.source_prompt for edit in results.edits)


def test_files_of_that_name_from_other_programs_are_nothing(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "manifest.json").write_text('{"name": "app", "icons": []}')
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    assert len(collect([tmp_path]).edits) == 2
