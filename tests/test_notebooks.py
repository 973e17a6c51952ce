"""Notebooks run from top to bottom, define nothing, and carry no outputs."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
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


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for source in code_cells(notebook):
        exec(source.replace("settings = []", f"settings = {FEW_STEPS}"), names)
    assert names["settings"] == FEW_STEPS and len(names["steps"]) == 2
    assert (tmp_path / "runs/notebook/contact_sheet.png").is_file()
