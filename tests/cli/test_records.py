import json

import pytest

from giftune.cli._records import Records

ENTRY = {"prompt": "a fox 🦊", "file": "a-fox.gif", "settings": {"seed": 1}, "seconds": 2.5}
FACTS = {"scores": {"flicker": {"value": 1.5}}, "skipped": {}, "without_weights": []}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_record_is_that_of_one_drawing_by_one_suite(path):
    Records(path, "a1").put(ENTRY, FACTS)
    assert lines(path) == [{**ENTRY, "file": "edits/a-fox.gif", **FACTS, "suite": "a1"}]
    again = Records(path, "a1")
    assert again.find(ENTRY) == lines(path)[0]
    for change in ({"seconds": 2.6}, {"settings": {"seed": 2}}, {"prompt": "a"}, {"file": "b.gif"}):
        assert again.find(ENTRY | change) is None
    assert Records(path, "b2").find(ENTRY) is None
    Records(path, "b2").put(ENTRY, FACTS)
    assert [line["suite"] for line in lines(path)] == ["b2"], "in the place of the earlier one"


def test_damaged_lines_count_as_missing(path):
    Records(path, "a1").put(ENTRY, FACTS)
    path.write_text(
        '{"file": "edits/b.gif"}\n[1]\n{"half\n\n' + path.read_text(encoding="utf-8"), encoding="utf-8"
    )
    records = Records(path, "a1")
    assert records.find({**ENTRY, "file": "b.gif"}) is None and records.find(ENTRY)
    records.put({**ENTRY, "file": "c.gif"}, FACTS)
    assert [line["file"] for line in lines(path)] == ["edits/a-fox.gif", "edits/c.gif"]


def test_what_is_kept_is_in_the_order_of_the_index(path):
    records, entries = Records(path, "a1"), [{**ENTRY, "file": f"{name}.gif"} for name in "abc"]
    for entry in entries:
        records.put(entry, FACTS)
    records.keep([entries[2], entries[0]])
    assert [line["file"] for line in lines(path)] == ["edits/c.gif", "edits/a.gif"]
