import json

import pytest
from safetensors.torch import load_file

from giftune.cli._method import (
    build_method,
    has_backbone,
    is_controlled,
    learns,
    loaded_method,
    offered_prompts,
)
from giftune.errors import InputError
from giftune.io.read import read_clip

CLASSES = {
    "giftune.GifTune": (True, True),
    "frame_wise.FrameWise": (False, True),
    "text2video_zero.Text2VideoZero": (False, True),
    "plug_and_play.PlugAndPlay": (False, True),
    "animatediff.AnimateDiff": (False, True),
    "cogvideox.CogVideoX": (False, False),
    "external.External": (False, False),
}


def choice(name, **settings):
    return {"method": {"_target_": f"giftune.methods.{name}", **settings}}


@pytest.mark.parametrize("name", CLASSES)
def test_what_a_method_needs_is_seen_in_its_class(name):
    config = choice(name)
    assert (learns(config), has_backbone(config)) == CLASSES[name]


def test_control_is_there_when_it_has_weights():
    assert not is_controlled(choice("giftune.GifTune"))
    nothing = {"_target_": "giftune.methods.controlled.no_control"}
    assert not is_controlled(choice("giftune.GifTune", control=nothing))
    assert is_controlled(choice("giftune.GifTune", control={"weights": {"source": "x"}}))


@pytest.fixture
def backbone(checkpoint):
    target = "giftune.backbone.stable_diffusion.load_backbone"
    return {"backbone": {"_target_": target, "source": str(checkpoint), "device": "cpu"}}


def test_the_backbone_is_built_once(backbone, tmp_path):
    config = choice("giftune.GifTune", cache=str(tmp_path), num_steps=3)
    built = build_method({**backbone, **config})
    assert built.workspace.cache == tmp_path and built.network.unet is built.backbone.unet


def test_weights_are_loaded_where_something_learns(backbone, tmp_path):
    config = {**backbone, **choice("giftune.GifTune", num_steps=3)}
    path = tmp_path / "weights.safetensors"
    build_method({**config, "method": {**config["method"], "seed": 5}}).save(path)
    name, expected = next(iter(load_file(path).items()))
    found = dict(loaded_method(config, path).network.unet.named_parameters())[name]
    assert (found == expected).all()
    with pytest.raises(InputError):
        loaded_method(config, tmp_path / "nothing.safetensors")
    loaded_method({**backbone, **choice("frame_wise.FrameWise", num_steps=3)}, tmp_path / "nothing")


def test_prompts_of_results_that_exist_are_offered(clip_path, tmp_path):
    results = [{"file": "x.gif", "source": clip_path.name, "prompt": p, "method": "y"} for p in ("a", "b")]
    (tmp_path / "manifest.json").write_text(json.dumps({"results": results}))
    clip = read_clip(clip_path)
    assert offered_prompts(choice("external.External", path=str(tmp_path)), clip) == ["a", "b"]
    assert offered_prompts(choice("giftune.GifTune"), clip) == []


def test_a_method_of_somebody_else_is_no_method():
    with pytest.raises(InputError, match=r"method\._target_ is os.system"):
        learns({"method": {"_target_": "os.system"}})
