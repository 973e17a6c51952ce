"""`giftune caption` from end to end, with a random BLIP-2 in miniature."""

import numpy as np
import pytest
from PIL import Image

from giftune.cli._build import build
from giftune.data.sheet import Edit, Entry, read_sheet, write_sheet
from giftune.io.read import read_clip
from tests import miniature
from tests.caption_checkpoints import build_blip2
from tests.davis_folders import write_davis
from tests.test_configs import compose


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build_blip2(tmp_path_factory.mktemp("blip2"))


@pytest.fixture
def clips(tmp_path):
    """Three clips, and what is none: a picture, notes, a hidden file, an empty folder."""
    folder = tmp_path / "clips"
    write_davis(tmp_path / "davis", "bear", masks=False)
    folder.mkdir()
    (tmp_path / "davis" / "JPEGImages" / "480p" / "bear").rename(folder / "bear")
    miniature.write_clip(folder / "noise.gif", seed=1)
    miniature.write_clip(folder / "other.gif", seed=2)
    Image.new("RGB", (8, 8)).save(folder / "one.png")
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden.gif").write_bytes((folder / "noise.gif").read_bytes())
    (folder / "empty").mkdir()
    return folder


def sheet_of(folder):
    return {entry.name: entry for entry in read_sheet(folder / "prompts.yaml")}


class Spoken:
    """Counts the pictures it is shown, in place of the network; is interrupted at the one numbered `at`."""

    def __init__(self, at=None):
        self.shown, self.at = [], at

    def caption(self, picture):
        self.shown.append(picture)
        if len(self.shown) == self.at:
            raise KeyboardInterrupt
        return f"caption {len(self.shown)}"


@pytest.fixture
def spoken(monkeypatch):
    captioner = Spoken()
    monkeypatch.setattr("giftune.backbone.captioner.load_captioner", lambda *settings: captioner)
    return captioner


def test_a_sheet_that_is_read_as_a_data_set(giftune, clips, model):
    status, out, err = giftune("caption", f"path={clips}", f"model={model}", "device=cpu")
    assert (status, err) == (0, "")
    entries = sheet_of(clips)
    assert list(entries) == ["bear", "noise", "other"]
    assert all(entry.caption and entry.edits == () for entry in entries.values())
    assert all(f"{name}: {entry.caption}\n" in out for name, entry in entries.items())
    assert f"written to {clips / 'prompts.yaml'}" in out
    config = compose("data=folder", f"data.path={clips}")["data"]
    tasks = list(build(config, "data"))
    assert [(t.clip.name, t.source_prompt, t.prompts) for t in tasks] == [
        (name, entry.caption, ()) for name, entry in entries.items()
    ]


@pytest.mark.parametrize(("which", "index"), [("first", 0), ("middle", 2), ("last", 4)])
def test_the_frame_that_is_shown(giftune, clips, spoken, which, index):
    assert giftune("caption", f"path={clips}", f"frame={which}")[0] == 0
    assert np.array_equal(spoken.shown[1], read_clip(clips / "noise.gif").pixels()[index])
    assert spoken.shown[0].shape == (24, 40, 3)


def test_what_the_sheet_has_is_kept(giftune, clips, spoken, tmp_path):
    edits = (Edit("a fox is running", "object"),)
    mine = [Entry("noise.gif", "my own words", edits), Entry("gone", "not here now", ())]
    write_sheet(mine, clips / "prompts.yaml")
    status, out, _ = giftune("caption", f"path={clips}")
    assert status == 0 and "kept: 1 caption that" in out and len(spoken.shown) == 2
    assert list(sheet_of(clips).values()) == [
        *mine,
        Entry("bear", "caption 1", ()),
        Entry("other", "caption 2", ()),
    ]
    before = (clips / "prompts.yaml").read_bytes()
    status, out, _ = giftune("caption", f"path={clips}")
    assert status == 0 and "kept: 3 captions" in out and len(spoken.shown) == 2
    assert (clips / "prompts.yaml").read_bytes() == before
    assert giftune("caption", f"path={clips}", "overwrite=true")[0] == 0
    entries = sheet_of(clips)
    assert entries["noise.gif"].caption == "caption 4" and entries["noise.gif"].edits == edits
    assert entries["gone"] == mine[1] and len(spoken.shown) == 5
    assert giftune("caption", f"path={clips}", f"output={tmp_path / 'new.yaml'}")[0] == 0
    assert len(read_sheet(tmp_path / "new.yaml")) == 3


def test_an_interrupted_run_goes_on(giftune, clips, spoken):
    spoken.at = 2
    assert giftune("caption", f"path={clips}")[0] == 130
    assert {name: entry.caption for name, entry in sheet_of(clips).items()} == {"bear": "caption 1"}
    assert giftune("caption", f"path={clips}")[0] == 0
    assert [entry.caption for entry in sheet_of(clips).values()] == ["caption 1", "caption 3", "caption 4"]


def test_names_have_their_ending_only_where_they_must(giftune, clips, spoken):
    (clips / "bear.gif").write_bytes((clips / "noise.gif").read_bytes())
    (clips / "damaged.gif").write_bytes((clips / "noise.gif").read_bytes()[:60])
    status, _, err = giftune("caption", f"path={clips}")
    assert status == 0 and "damaged.gif" in err and "it is left out" in err and err.count("\n") == 1
    assert list(sheet_of(clips)) == ["bear", "bear.gif", "noise", "other"]
    assert len(list(build(compose("data=folder", f"data.path={clips}")["data"], "data"))) == 4


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "path is missing"),
        (["path=nowhere"], "path nowhere is not a folder"),
        (["path=clips/empty"], "path clips/empty has no clips"),
        (["path=clips", "frame=best"], "frame is 'best', it must be one of first, middle, last"),
        (["path=clips", "output=no/such/prompts.yaml"], "its folder does not exist"),
        (["path=clips", "model=nowhere"], "model 'nowhere' does not exist; it must be a folder or the id"),
        (
            ["path=clips"],
            "model 'Salesforce/blip2-opt-2.7b' is not on this machine: download=true fetches it",
        ),
        (["path=clips", "output=clips/notes.txt"], "notes.txt has no clips"),
    ],
)
def test_bad_input_is_one_sentence(giftune, clips, monkeypatch, tmp_path, given, sentence):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    status, _, err = giftune("caption", *given)
    assert status == 2 and sentence in err and err.count("\n") == 1
    assert not (clips / "prompts.yaml").exists()
