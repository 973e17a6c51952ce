import csv

import pytest

from giftune.data.clip_rows import Rows
from giftune.data.clip_source import Skip
from giftune.errors import InputError

CELLS = ["plain", "a, b", 'says "so"', "two\nlines", "Kätzchen 🐱", "end"]


def keep(row):
    return None


def table(path, encoding="utf-8", terminator="\r\n"):
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, lineterminator=terminator)
        writer.writerow([" id ", "name"])
        writer.writerows(enumerate(CELLS))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("terminator", ["\n", "\r\n"])
def test_rows_in_any_order_are_those_of_the_library(tmp_path, encoding, terminator):
    path = table(tmp_path / "t.csv", encoding, terminator)
    rows = Rows(path, keep, needed=["id", "name"])
    with path.open(newline="", encoding=encoding) as file:
        expected = [{"id": row[" id "], "name": row["name"]} for row in csv.DictReader(file)]
    assert len(rows) == 6 and [rows[k] for k in (5, 0, 3, 1, 4, 2)] == [
        expected[k] for k in (5, 0, 3, 1, 4, 2)
    ]


def test_what_is_judged_useless_has_no_number(tmp_path):
    def judge(row):
        return Skip(row["id"], "without caption", "") if row["id"] in "13" else None

    rows = Rows(table(tmp_path / "t.csv"), judge, needed=["name"])
    assert [rows[k]["id"] for k in range(len(rows))] == ["0", "2", "4", "5"]
    assert [skip.clip for skip in rows.left_out] == ["1", "3"]
    assert rows.digest != Rows(tmp_path / "t.csv", keep, needed=[]).digest


def test_tabs_quotes_short_and_empty_lines(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('u1\t"so\nu2\n\nu3\t it, is \textra\n')
    rows = Rows(path, keep, needed=["url"], columns=("url", "caption"), delimiter="\t")
    found = [rows[k] for k in range(len(rows))]
    assert [row["caption"] for row in found] == ['"so', "", "it, is"]
    assert [row["url"] for row in found] == ["u1", "u2", "u3"]


def test_mistakes_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.table .*none\.csv cannot be read: .*No such file"):
        Rows(tmp_path / "none.csv", keep, needed=[])
    with pytest.raises(InputError, match="has no column title: its columns are id, name, needed are title"):
        Rows(table(tmp_path / "t.csv"), keep, needed=["title"])
    (tmp_path / "open.csv").write_text('id,name\n1,"never closed\n' + "2,x\n" * 50_000)
    with pytest.raises(InputError, match="cannot be read: field larger than field limit"):
        Rows(tmp_path / "open.csv", keep, needed=[])
