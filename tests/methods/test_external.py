import json
import warnings

import pytest
import torch

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.frames import write_frames
from giftune.io.gif import read_gif, write_gif
from giftune.io.read import read_clip
from giftune.methods.base import Editor
from giftune.methods.external import External
from giftune.report.collect import collect


@pytest.fixture(autouse=True)
def no_warning():
    """Unless a test asks for it: what fits is passed on without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def flat(num_frames=4, height=16, width=24, name="cat", level=0.0):
    """Frame i is one grey, a little lighter than the frame before."""
    levels = level + 0.1 * torch.arange(num_frames)
    frames = levels[:, None, None, None].expand(-1, 3, height, width).contiguous()
    return Clip(frames, (40,) * num_frames, loop=2, name=name)


@pytest.fixture
def folder(tmp_path):
    """Two results of A for the cat, one as a folder of frames, and one of each method for the dog."""
    for name in ("source", "a", "b"):
        (tmp_path / name).mkdir()
    write_gif(flat(), tmp_path / "source" / "cat.gif", "best")
    write_gif(flat(level=0.1), tmp_path / "a" / "panda.gif", "best")
    write_frames(flat(level=0.2), tmp_path / "a" / "lion")
    write_gif(flat(level=0.3), tmp_path / "b" / "wolf.gif", "best")
    results = [
        {"file": "a/panda.gif", "source": "cat", "prompt": "a  panda", "method": "A"},
        {"file": "a/lion", "source": "source/cat.gif", "prompt": "a lion", "method": "A"},
        {"file": "a/panda.gif", "source": "dog", "prompt": "a wolf", "method": "A"},
        {"file": "b/wolf.gif", "source": "dog", "prompt": "a wolf", "method": "B"},
    ]
    return write(tmp_path, results)


def write(folder, results):
    sources = [{"file": "source/cat.gif", "caption": "a cat"}]
    (folder / "manifest.json").write_text(json.dumps({"sources": sources, "results": results}))
    return folder


def edit(method, clip, *prompts):
    return list(method.edit(clip, prompts, torch.Generator()))


def test_what_is_stored_comes_out_in_the_order_of_the_prompts(folder):
    clip, method = read_gif(folder / "source" / "cat.gif"), External(folder, "A")
    assert isinstance(method, Editor)
    assert method.prompts_for(clip) == ["a panda", "a lion"]
    told = []
    edits = method.edit(clip, ["a lion", "a panda"], torch.Generator(), lambda *what: told.append(what))
    lion, panda = edits
    assert lion.frames.equal(read_clip(folder / "a" / "lion").frames)
    assert panda.frames.equal(read_gif(folder / "a" / "panda.gif").frames)
    for edited in (lion, panda):
        assert edited.durations_ms == clip.durations_ms and edited.loop == clip.loop
    assert told == [("reading", 1, 2), ("reading", 2, 2)]


def test_the_report_reads_the_same_from_the_manifest(folder):
    """Two readers of one format."""
    found = [e for e in collect([folder]).edits if e.arm == "A" and e.clip == "cat"]
    ours = External(folder, "A")
    assert [e.prompt for e in found] == ours.prompts_for(flat())
    assert [e.file for e in found] == [result.file for result in ours._of(flat())]


def test_a_method_is_chosen(folder):
    assert edit(External(folder, "B"), flat(name="dog"), "a wolf")[0].frames.mean() > 0.3
    with pytest.raises(InputError, match=r"results of 'A', 'B': choose with method.method="):
        External(folder)
    with pytest.raises(InputError, match=r"method.method is 'C', but .* has results of 'A', 'B'"):
        External(folder, "C")


def test_longer_results_are_spread_over_the_clip_and_it_is_said(folder):
    write_gif(flat(num_frames=8), folder / "a" / "panda.gif", "best")
    with pytest.warns(UserWarning, match=r"panda.gif: 4 of its 8 frames are used\.$"):
        (edited,) = edit(External(folder, "A"), flat(), "a panda")
    torch.testing.assert_close(edited.frames, flat(num_frames=8).frames[::2], atol=0.005, rtol=0)


@pytest.mark.parametrize(("fit", "bars"), [("pad", True), ("crop", False), ("stretch", False)])
def test_other_sizes_are_fitted_as_the_source_was(folder, fit, bars):
    """The result is as large as the source was before it was framed, so it must get the same bars."""
    source = flat(height=32, width=24)
    source = source.with_frames(source.frames * torch.linspace(-1, 1, 24))
    write_gif(source, folder / "a" / "panda.gif", "best")
    clip = source.fit(16, 24, fit)
    with pytest.warns(UserWarning, match=f"panda.gif: it is fitted from 24 x 32 to 24 x 16 by '{fit}'"):
        (edited,) = edit(External(folder, "A", fit=fit), clip, "a panda")
    torch.testing.assert_close(edited.frames, clip.frames, atol=0.02, rtol=0)
    assert bool(edited.frames[..., :4].std(dim=-1).max() < 1e-4) is bars


def test_a_seed_is_chosen(folder):
    entry = {"source": "cat", "prompt": "a panda", "method": "A"}
    seeds = [{**entry, "file": "a/panda.gif", "seed": 1}, {**entry, "file": "a/lion", "seed": 2}]
    write(folder, seeds)
    assert External(folder).prompts_for(flat()) == ["a panda"]
    (edited,) = edit(External(folder, seed=2), flat(), "a panda")
    assert edited.frames.equal(read_clip(folder / "a" / "lion").frames)
    for seed in (None, 3):
        with pytest.raises(InputError, match=rf"method.seed is {seed}, .* of the seeds 1, 2"):
            edit(External(folder, seed=seed), flat(), "a panda")


def test_results_that_are_not_there(folder):
    method = External(folder, "A")
    with pytest.raises(InputError, match="no result for a clip named 'bird', only for 'cat', 'dog'"):
        method.prompts_for(flat(name="bird"))
    with pytest.raises(InputError, match="no result for cat with 'a fox', only with 'a panda', 'a lion'"):
        edit(method, flat(), "a panda", "a fox")
    with pytest.raises(InputError, match=r"panda.gif has 4 frames, but 6 .*: say data.num_frames=4"):
        edit(method, flat(num_frames=6), "a panda")
    (folder / "a" / "panda.gif").unlink()
    edits = method.edit(flat(), ["a lion", "a panda"], torch.Generator())
    with pytest.raises(InputError, match=r"manifest.json names .*panda.gif, which does not exist"):
        next(edits)  # before anything else is read
    (folder / "a" / "panda.gif").write_text("no")
    with pytest.raises(InputError, match="is not a clip"):
        edit(method, flat(), "a panda")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "has no manifest.json"),
        ("{", "is no manifest"),
        ("[]", "is no manifest"),
        ('{"name": "app"}', "is no manifest"),
        ('{"results": []}', "has no results"),
        ('{"results": 3}', "has no results"),
        (
            '{"results": [{"file": "a.gif", "source": "a", "prompt": 3, "method": "A"}]}',
            r"results\[0\] must have",
        ),
        ('{"results": [7]}', r"results\[0\] must have texts file, source, prompt, method"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=sentence) as error:
        External(tmp_path)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_a_path_that_is_no_folder(tmp_path):
    with pytest.raises(InputError, match=r"method.path is .*nowhere', which is no folder"):
        External(tmp_path / "nowhere")


@pytest.mark.slow
def test_the_published_edits(shared_folder):
    """Every one of them fits its source as it is."""
    method, count = External(shared_folder / "published"), 0
    for path in sorted((shared_folder / "published" / "source").iterdir()):
        clip = read_clip(path)
        prompts = method.prompts_for(clip)
        for edited in method.edit(clip, prompts, torch.Generator()):
            assert edited.frames.shape == clip.frames.shape
            count += 1
    assert count == 8
