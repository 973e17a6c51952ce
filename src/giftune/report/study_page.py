"""The page of a user study: one HTML file that asks, remembers and hands over answers; it knows no method."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from giftune.report.animation import Sheet, Sheets
from giftune.report.study import QUESTIONS, Study

ANSWERS = "giftune study answers 1"


def render_study(study: Study, sheets: Sheets, title: str) -> str:
    """The page; raises `InputError` for an edit or a source that cannot be read.

    Only its own script may run, and nothing is fetched or sent. Pictures are named by their content.
    """
    comparisons = [
        {
            "id": trial.name,
            "prompt": trial.left.prompt,
            "caption": trial.left.source_prompt,
            "source": _sheet(trial.left.source or trial.right.source, sheets),
            "left": _sheet(trial.left.file, sheets),
            "right": _sheet(trial.right.file, sheets),
            "questions": trial.questions,
        }
        for trial in study.trials
    ]
    data = {
        "format": ANSWERS,
        "study": study.name,
        "questions": QUESTIONS,
        "comparisons": comparisons,
        "sheets": {sheet.name: _described(sheet) for sheet in sheets.by_content.values()},
    }
    script = _asset("study.js")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment.from_string(_asset("study.html.jinja")).render(
        title=title,
        data=data,
        style=_asset("study.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _sheet(path: Any, sheets: Sheets) -> str | None:
    """The name of its picture; None for a source that is gone."""
    return sheets.sheet(path).name if path is not None and path.exists() else None


def _described(sheet: Sheet) -> Mapping[str, Any]:
    return {key: value for key, value in sheet._asdict().items() if key != "name"}


def _asset(name: str) -> str:
    return (files("giftune.report") / "templates" / name).read_text(encoding="utf-8")
