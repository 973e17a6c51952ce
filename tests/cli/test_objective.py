import json

import pytest

from giftune.cli._objective import objective, read_objective
from giftune.errors import InputError


def write(folder, *edits):
    lines = [{"scores": {name: {"value": value} for name, value in edit.items()}} for edit in edits]
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_weighted_means_over_the_edits(tmp_path):
    write(tmp_path, {"error": 2.0, "asked": 0.5}, {"error": 4.0}, {"error": 6.0, "asked": 1.0})
    assert objective(tmp_path, {"error": 1.0}) == 4.0
    assert objective(tmp_path, {"error": 1.0, "asked": -4.0}) == 4.0 - 3.0


def test_a_score_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="objective needs scores"):
        objective(tmp_path, {"error": 1.0})
    write(tmp_path, {"flicker": 2.0})
    with pytest.raises(InputError, match=r"objective\.error is not scored here; scored are: flicker\."):
        objective(tmp_path, {"error": 1.0})


def test_what_a_command_line_may_say():
    assert read_objective({"flicker": 1, "asked": -0.5}) == {"flicker": 1.0, "asked": -0.5}
    assert read_objective(None) is None
    for wrong in ("flicker", ["flicker"], {"flicker": "low"}, {"flicker": True}, {}):
        with pytest.raises(InputError, match="it must be like"):
            read_objective(wrong)
