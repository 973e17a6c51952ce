import pytest

from giftune.errors import InputError
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.write import write_report
from tests.result_folders import write_run


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return collect([write_run(tmp_path_factory.mktemp("runs") / "run")])


def test_the_same_results_make_the_same_bytes(results, tmp_path):
    first = [path.read_bytes() for path in write_report(results, compare(results), tmp_path / "a", "t")]
    again = [path.read_bytes() for path in write_report(results, compare(results), tmp_path / "b", "t")]
    assert first == again and len(first) == 4
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "index.html", "table.csv", "table.md", "table.tex",
    ]  # fmt: skip


def test_pictures_beside_the_page(results, tmp_path):
    write_report(results, compare(results), tmp_path / "out", "t", embed=False)
    html = (tmp_path / "out" / "index.html").read_text()
    pictures = list((tmp_path / "out" / "media").iterdir())
    assert len(pictures) == 3  # the source and two edits
    assert all(f'src="media/{picture.name}"' in html for picture in pictures) and "data:image" not in html


def test_a_place_that_is_none(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        write_report(results, compare(results), tmp_path / "file" / "report", "t")
