"""Notebooks run from top to bottom, define nothing, and carry no outputs."""

import ast
import json
from pathlib import Path

import pytest

from tests.benchmark_folders import Made, write_benchmark

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SETTINGS = "settings = []"
FEW_STEPS = ["trainer.max_steps=2", "edit.num_steps=2", "inversion.num_steps=2"]


def code_cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_import_and_show(notebook: Path) -> None:
    assert all(not cell.get("outputs") for cell in json.loads(notebook.read_text())["cells"])
    trees = [ast.parse(source) for source in code_cells(notebook)]
    defined = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    assert not defined


def run_cells(notebook: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The names that a notebook leaves, run in `folder`; if it tunes, with few steps."""
    monkeypatch.chdir(folder)
    names: dict = {}
    for source in code_cells(notebook):
        exec(source.replace(SETTINGS, f"settings = {FEW_STEPS}"), names)
    assert names.get("settings", FEW_STEPS) == FEW_STEPS
    return names


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if notebook.stem == "04_benchmark":
        write_benchmark(
            tmp_path / "runs/benchmark-emojidavis42", Made(clips=3, failed=(("sdedit", "clip-1"),))
        )
    names = run_cells(notebook, tmp_path, monkeypatch)
    if notebook.stem == "01_main_job":
        assert len(names["steps"]) == 2
        assert (tmp_path / "runs/notebook/contact_sheet.png").is_file()
    elif notebook.stem == "02_inside_inflation":
        difference, still = names["difference"], names["still"]
        assert difference["per_frame"].max() == 0  # identity at step 0, exactly
        assert difference["sparse_causal"][0] < 1e-5 < 0.01 < difference["sparse_causal"][1:].min()
        assert max(still.values()) < 1e-5
        assert names["before"] < names["after"]
    elif notebook.stem == "03_ablation":
        assert names["comparison"].arms == ("full", "no_st_attn") and not names["results"].failures
        assert (tmp_path / "runs/tiny/report/index.html").is_file()
    elif notebook.stem == "04_benchmark":
        assert names["tables"][0].title == "Laid out as table 1 of Tune-A-Video"
        assert names["found"].absent["sdedit"] == 4 and names["picture"].is_file()
        assert (tmp_path / "runs/benchmark-emojidavis42/report/benchmark.csv").is_file()
    else:
        pytest.fail(f"say what {notebook.stem} should show")
