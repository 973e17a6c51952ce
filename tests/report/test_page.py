import base64
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from giftune.report.animation import Sheets
from giftune.report.collect import collect
from giftune.report.comparison import compare
from giftune.report.listing import Listing
from giftune.report.page import render
from giftune.report.results import Results
from tests.browser import shown_in_browser

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }} \u2028'
VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    """Every tag with its attributes, the text outside of scripts, and whether tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.texts.append(data.strip())

    def all(self, tag: str, **wanted: str) -> list[dict]:
        return [a for name, a in self.tags if name == tag and wanted.items() <= a.items()]


@pytest.fixture(scope="module")
def results(ablation):
    return collect([ablation])


@pytest.fixture(scope="module")
def html(results):
    return render(results, compare(results), Sheets(), "ablation", ["flicker", "nothing"])


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_is_well_formed_and_self_contained(page, html):
    assert page.open == []
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    addresses = [a[key] for _, a in page.tags for key in ("src", "href", "xlink:href") if key in a]
    files = {"table.csv", "table.md", "table.tex"}
    assert all(a.startswith(("data:", "#")) or a in files for a in addresses)
    assert {a[1:] for a in addresses if a.startswith("#")} <= set(identifiers)
    assert "http://" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", html).replace("https://", "http://")


def test_every_picture_decodes_and_each_clip_finds_its_own(page, results):
    pictures = {}
    for image in page.all("img"):
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/webp;base64" and image["alt"]
        pictures[image["id"]] = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    clips = [a for a in page.all("span") if "data-sheet" in a]
    assert len(clips) == len(results.edits) + 6  # a source for each of 3 clips x 2 prompts
    assert {f"s{clip['data-sheet']}" for clip in clips} == set(pictures)
    for clip in clips:
        width, height = pictures[f"s{clip['data-sheet']}"].size
        columns, frames = int(clip["data-columns"]), len(clip["data-durations"].split())
        assert width == columns * int(clip["data-width"]) == columns * 64
        assert height == -(-frames // columns) * int(clip["data-height"]) and frames == 8


def test_numbers_of_the_table_are_those_of_the_comparison(page, results):
    cells = compare(results).cells
    values = sorted(
        float(a["data-value"]) for a in page.all("td") if "data-metric" in a and "data-value" in a
    )
    assert values == sorted(cell.value.mean for cell in cells.values())
    verdicts = [a["class"] for a in page.all("td") if "data-metric" in a and "class" in a]
    assert sorted(verdicts) == sorted(cell.verdict for cell in cells.values() if cell.verdict)
    assert page.texts.count("▼") == verdicts.count("worse") > 0
    assert page.texts.count("worse than full") == verdicts.count("worse")


def test_only_the_wanted_metrics_are_visible_at_first(page):
    checked = [a["value"] for a in page.all("input") if a.get("class") == "metric" and "checked" in a]
    assert checked == ["flicker"]
    shown = {a["data-metric"] for a in page.all("td") if "data-metric" in a and "hidden" not in a}
    assert shown == {"flicker"}


def test_failures_and_provenance_are_listed(page):
    assert "ablation=no_tuning,data=emojiworld_penguin,seed=2" in page.texts
    assert {"tuning diverged", "0123456789ab", "method.arm", "optimizer.lr"} <= set(page.texts)


def test_only_its_own_script_may_run(page):
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    script = page.scripts[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]


@pytest.mark.parametrize("field", ["prompt", "source_prompt", "clip", "arm", "seed"])
def test_text_of_users_stays_text(results, field):
    edits = tuple(replace(edit, **{field: EVIL}) for edit in results.edits[:2])
    failures = (results.failures[0]._replace(reason=EVIL),)
    found = Results(edits, failures, (EVIL,), {EVIL: EVIL})
    html = render(found, compare(found), Sheets(), EVIL)
    page = Page(html)
    assert page.open == [] and len(page.scripts) == 2 and not page.all("img", src="x")
    assert "<script>alert" not in html and "49" not in {text[-3:] for text in page.texts}
    assert json.loads(page.scripts[0])[0].get(field, EVIL) == EVIL
    assert any(EVIL.strip() in text for text in page.texts)


def test_what_cannot_be_shown_says_why(ablation, tmp_path):
    folder = shutil.copytree(next(ablation.glob("*full*")), tmp_path / "cell")
    (folder / "edits" / "0.gif").unlink()
    (folder / "edits" / "1.gif").write_text("no")
    (folder / "source.gif").unlink()
    results = collect([folder])
    page = Page(render(results, compare(results), Sheets(), "x"))
    assert page.texts.count("the file is gone") == 3 and not page.all("img")
    assert any("1.gif" in text and text.startswith("path") for text in page.texts)


def test_a_single_run_has_no_intervals_and_says_so(ablation):
    results = collect([next(ablation.glob("*full*"))])
    page = Page(render(results, compare(results), Sheets(), "x"))
    assert any("no interval can be given" in text for text in page.texts)
    assert "Metrics by arm" not in page.texts and "Loss curves" in page.texts


def test_small_tables_of_a_benchmark_are_shown_and_long_ones_folded(results, page):
    bold = frozenset({(0, 1)})
    short = Listing("Short", ("name", "value"), ((EVIL, "1.5"),), ("said",), bold)
    long = Listing("Long", ("name",), (("x",),), long=True)
    found = Page(render(results, compare(results), Sheets(), "x", (), [short, long]))
    assert found.open == [] and {"Short", "Long", "1.5", "said", EVIL.strip()} <= set(found.texts)
    assert len(found.all("td", **{"class": "right best"})) == 1 and found.all("a", href="#benchmark")
    assert len(found.all("summary")) == len(page.all("summary")) + 1
    assert not page.all("a", href="#benchmark")


def test_nothing_but_failures(results):
    found = Results((), results.failures)
    page = Page(render(found, compare(found), Sheets(), "x"))
    assert page.open == [] and "tuning diverged" in page.texts and not page.all("canvas")


def test_the_script_draws_every_clip_in_a_browser(html, tmp_path):
    (tmp_path / "index.html").write_text(html)
    drawn = "document.querySelector('canvas') && document.documentElement.outerHTML"
    shown = Page(shown_in_browser(tmp_path / "index.html", drawn, tmp_path / "profile"))
    assert len(shown.all("canvas")) == len([a for a in shown.all("span") if "data-sheet" in a]) == 52
    hidden = [a for a in shown.all("figure") if "hidden" in a and "data-seed" in a]
    assert {a["data-seed"] for a in hidden} == {"2"}
