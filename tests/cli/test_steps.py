from dataclasses import replace

import pytest

from giftune.cli._steps import edit_settings, read_task, source_hash
from giftune.errors import InputError

WORLD = {
    "_target_": "giftune.data.emojiworld.EmojiWorld",
    "subject": "fox",
    "background": "snow",
    "style": "plain",
    "motion": "jump",
    "num_frames": 2,
    "size": 32,
}


GIFTUNE = {"_target_": "giftune.methods.giftune.GifTune"}
EXTERNAL = {"_target_": "giftune.methods.external.External"}


def test_a_foreign_clip_gets_one_line_from_the_embedded_model(capsys, clip_path):
    own = {"_target_": "giftune.data.gif.Gif", "path": str(clip_path), "prompt": "a cat", "size": 64}
    for data, source, method, lines in (
        (WORLD, "emojiworld", GIFTUNE, 0),
        (own, "emojiworld", GIFTUNE, 1),
        (own, "emojiworld", EXTERNAL, 0),
        (own, "x/y", GIFTUNE, 0),
    ):
        read_task({"data": data, "backbone": {"source": source}, "method": method})
        said = capsys.readouterr().out
        assert said.count("\n") == lines and ("only its own toy world" in said) == bool(lines)


def test_frames_timing_and_size_make_a_source(clip_path):
    data = {"_target_": "giftune.data.gif.Gif", "path": str(clip_path), "prompt": "a cat", "size": 64}
    tasks = [
        read_task({"data": {**data, **more}, "backbone": {"source": "x/y"}, "method": GIFTUNE})
        for more in ({}, {"start": 1})
    ]
    clip = tasks[0].source
    changes = (
        replace(tasks[0], clip=tasks[0].clip.with_frames(tasks[0].clip.frames * 0.9)),
        replace(tasks[0], source=replace(clip, durations_ms=(20,) * 5)),
        replace(tasks[0], source=replace(clip, loop=None)),
        replace(tasks[0], source=clip.fit(20, 40, "stretch")),
        tasks[1],
    )
    assert len({source_hash(task) for task in (tasks[0], *changes)}) == 6
    assert source_hash(replace(tasks[0], source_prompt="another", prompts=("a",))) == source_hash(tasks[0])


def test_settings_of_an_edit():
    method = {**GIFTUNE, "num_steps": 9, "guidance": 2.0, "inversion_steps": None, "norm": "pooled"}
    config = {"method": method, "seed": 4, "edit": {"quality": "small"}}
    sampling = {"num_steps": 9, "guidance": 2.0, "inversion_steps": None}
    assert edit_settings(config) == {**sampling, "seed": 4, "quality": "small"}
    assert edit_settings({**config, "method": GIFTUNE}) == {"seed": 4, "quality": "small"}
    control = {"weights": {"source": "x", "device": "cpu"}, "scale": 0.5}
    controlled = edit_settings({**config, "method": {**method, "control": control}})
    kept = {"control.weights.source": "x", "control.scale": 0.5}
    assert controlled == {**sampling, **kept, "seed": 4, "quality": "small"}
    with pytest.raises(InputError, match=r"edit\.quality is 'fine', it must be one of small, balanced, best"):
        edit_settings({**config, "edit": {"quality": "fine"}})
