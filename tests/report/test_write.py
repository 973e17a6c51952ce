import pytest

from giftune.errors import InputError
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.write import write_report
from tests.benchmark_folders import METRICS, Made, write_benchmark
from tests.result_folders import write_run

METHODS = ("giftune", "text2video_zero", "sdedit")
FEW = {name: METRICS[name] for name in ("frame_consistency", "trajectory_error")}


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


def test_a_benchmark_has_tables_of_its_own(tmp_path):
    results = collect(
        [write_benchmark(tmp_path / "b", Made(METHODS, 3, failed=(("sdedit", "clip-0"),), metrics=FEW))]
    )
    files = {path.name: path for path in write_report(results, compare(results), tmp_path / "out", "t")}
    assert set(files) == {
        "index.html", "table.csv", "table.md", "table.tex", "benchmark.md", "benchmark.tex", "benchmark.csv",
        "by_clip.csv", "agreement.md", "agreement.csv", "agreement.png",
    } == {path.name for path in (tmp_path / "out").iterdir()}  # fmt: skip
    text = files["benchmark.md"].read_text()
    for title in (
        "Laid out as table 1",
        "Published elsewhere",
        "By type",
        "Difference to giftune",
        "Time and",
    ):
        assert f"## {title}" in text
    assert "not enough memory" in text and r"\begin{tabular}" in files["benchmark.tex"].read_text()
    again = write_report(results, compare(results), tmp_path / "again", "t")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files.values()]


def test_without_a_truth_no_agreement_is_written(tmp_path):
    metrics = {name: kind for name, kind in METRICS.items() if "oracle" not in kind[2]}
    results = collect(
        [write_benchmark(tmp_path / "b", Made(("giftune", "sdedit"), clips=2, metrics=metrics))]
    )
    names = {path.name for path in write_report(results, compare(results), tmp_path / "out", "t")}
    assert "benchmark.md" in names and not {name for name in names if name.startswith("agreement")}


def test_a_place_that_is_none(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        write_report(results, compare(results), tmp_path / "file" / "report", "t")
