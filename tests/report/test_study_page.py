import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from giftune.errors import InputError
from giftune.report._answers import read_ballots, read_key
from giftune.report.animation import Sheets
from giftune.report.collect import collect
from giftune.report.study import design, key
from giftune.report.study_page import render_study
from tests.browser import shown_in_browser
from tests.report.test_page import EVIL, Page

DRIVER = Path(__file__).with_name("study_driver.js")


@pytest.fixture(scope="module")
def study(ablation):
    pairs = [("full", "no_inversion"), ("full", "no_tuning")]
    return design(collect([ablation]), pairs, 5, torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def html(study):
    return render_study(study, Sheets(16), "Which is better?")


def content_of(html):
    page = Page(html)
    return page, json.loads(page.scripts[0])


def test_the_page_is_well_formed_and_fetches_nothing(html):
    page = Page(html)
    assert page.open == [] and len(page.scripts) == 2
    assert not [a for _, a in page.tags for name in a if name.startswith("on") or name in ("src", "href")]
    assert "http" not in re.sub(r'http-equiv="', "", html)
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    digest = base64.b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'one\("#([\w-]+)"\)', page.scripts[-1])) <= set(identifiers)


def test_nothing_on_it_says_which_method_made_what(html, study):
    for arm in ("full", "no_inversion", "no_tuning", "giftune", "ablation"):
        assert not re.search(rf"\b{arm}\b", html.replace("giftune-study-", "").replace("giftune study", ""))
    for trial in study.trials:
        for edit in (trial.left, trial.right):
            assert (
                edit.file.name not in html and edit.run.name not in html and str(edit.run.folder) not in html
            )


def test_left_is_left_and_right_is_right(html, study):
    """Each picture is the file's own frames, compared with the sheet made from that file alone."""
    (_, data), alone = content_of(html), Sheets(16)
    assert [entry["id"] for entry in data["comparisons"]] == [trial.name for trial in study.trials]
    for entry, trial in zip(data["comparisons"], study.trials, strict=True):
        wanted = {"left": trial.left.file, "right": trial.right.file, "source": trial.left.source}
        for side, file in wanted.items():
            sheet = data["sheets"][entry[side]]
            assert sheet["address"] == alone.sheet(file).address
            picture = Image.open(io.BytesIO(base64.b64decode(sheet["address"].partition(",")[2])))
            assert picture.size == (sheet["columns"] * sheet["width"], 3 * sheet["height"])
            assert len(sheet["durations_ms"]) == 8
        assert entry["prompt"] == trial.left.prompt and entry["caption"] == trial.left.source_prompt
        assert tuple(entry["questions"]) == trial.questions


def test_text_of_users_stays_text(study):
    changed = replace(study.trials[0].left, prompt=EVIL, source_prompt=EVIL)
    page, data = content_of(
        render_study(study._replace(trials=(study.trials[0]._replace(left=changed),)), Sheets(16), EVIL)
    )
    assert page.open == [] and len(page.scripts) == 2 and not page.all("img")
    assert (
        data["comparisons"][0]["prompt"] == EVIL and page.texts.count(EVIL.strip()) == 2
    )  # title and heading


def test_a_source_that_is_gone_is_left_out_and_a_damaged_edit_is_refused(study, tmp_path):
    trial = study.trials[0]
    left, right = (replace(edit, source=tmp_path / "gone.gif") for edit in (trial.left, trial.right))
    _, data = content_of(
        render_study(study._replace(trials=(trial._replace(left=left, right=right),)), Sheets(16), "t")
    )
    assert data["comparisons"][0]["source"] is None and len(data["sheets"]) == 2
    (tmp_path / "no.gif").write_text("no")
    broken = trial._replace(left=replace(left, file=tmp_path / "no.gif"))
    with pytest.raises(InputError, match=r"no\.gif"):
        render_study(study._replace(trials=(broken,)), Sheets(16), "t")


def test_a_rater_in_a_browser(html, study, tmp_path):
    """Answers by key and by button, reloads, goes back, changes an answer, skips, and saves."""
    driver = DRIVER.read_text()
    digest = base64.b64encode(hashlib.sha256(driver.encode()).digest()).decode()
    page = html.replace("; base-uri", f" 'sha256-{digest}'; base-uri").replace(
        "</body>", f"<script>{driver}</script></body>"
    )
    (tmp_path / "page.html").write_text(page)
    wanted = "document.querySelector('#report')?.textContent"
    report = json.loads(shown_in_browser(tmp_path / "page.html", wanted, tmp_path / "profile"))
    first, second = study.trials[:2]
    steps = [(trial, question) for trial in (first, second) for question in trial.questions]
    content = key(study, "t", 0)
    assert [seen["question"] for seen in report["seen"]] == [content["questions"][q] for _, q in steps[:3]]
    assert [seen["prompt"] for seen in report["seen"]] == [trial.left.prompt for trial, _ in steps[:3]]
    assert [seen["count"] for seen in report["seen"]] == [f"question {n} of 10" for n in (1, 2, 3)]
    assert all(seen["painted"] for seen in report["seen"])
    assert report["before"] == "true", "going back shows what was answered"
    assert report["name"] == f"answers-{study.name}-A_b_.json" and "3 of 10" in report["summary"]
    answers = json.loads(report["saved"])["answers"]
    assert json.loads(report["text"])["answers"] == answers and all(a["seconds"] > 0.3 for a in answers)
    # what it saves is what is read
    (tmp_path / "study.json").write_text(json.dumps(content))
    (tmp_path / "a.json").write_text(report["saved"])
    (ballot,) = read_ballots([tmp_path / "a.json"], read_key(tmp_path / "study.json"))
    assert ballot.rater == "A <b>"
    sides = ("left", "right", "left")
    assert ballot.sides == {(trial.name, q): side for (trial, q), side in zip(steps, sides, strict=False)}
