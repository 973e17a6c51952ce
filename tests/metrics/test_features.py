"""Loading: from folders and caches, against the libraries; and what is said when nothing is there."""

import json
import logging
import shutil

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchmetrics.functional.image import learned_perceptual_image_patch_similarity
from torchvision.models import alexnet
from torchvision.models.optical_flow import raft_small
from transformers import CLIPConfig, CLIPModel, DPTConfig, DPTForDepthEstimation, DPTModel

from giftune.errors import InputError
from giftune.metrics import features
from giftune.metrics.features import (
    MissingWeights,
    load_clip,
    load_depth,
    load_flow,
    load_lpips,
    load_pick_score,
)
from tests.metrics.tiny_networks import CLIP_CONFIG


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    loaders = (load_clip, load_depth, load_flow, load_lpips, load_pick_score)
    for load in loaders:
        load.cache_clear()
    yield
    for load in loaders:
        load.cache_clear()


@pytest.mark.parametrize(
    ("load", "sentence"),
    [
        (load_clip, "CLIP ViT-L-14: open_clip_model.safetensors of timm/vit_large_patch14_clip_224.openai"),
        (load_pick_score, "PickScore: config.json of yuvalkirstain/PickScore_v1 on the Hugging Face hub"),
        (
            load_depth,
            "depth network: config.json of Intel/dpt-hybrid-midas on the Hugging Face hub is not in",
        ),
        (
            load_flow,
            "RAFT .*raft_small_C_T_V2-01064c6d.pth of https://download.pytorch.org/models is not in torch",
        ),
        (
            load_lpips,
            "AlexNet for LPIPS: alexnet-owt-7be5be79.pth of https://download.pytorch.org/models is not in",
        ),
    ],
)
def test_one_line_says_what_is_missing_and_where_it_comes_from(load, sentence):
    with pytest.raises(MissingWeights, match=sentence) as caught:
        load()
    assert "download=true fetches it" in str(caught.value) and "\n" not in str(caught.value)


def test_the_embedded_models_may_be_missing_too(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "files", lambda package: tmp_path)
    with pytest.raises(MissingWeights, match="embedded CLIP is not in this copy of giftune"):
        load_clip("emojiworld")
    with pytest.raises(MissingWeights, match="embedded depth network is not in this copy"):
        load_depth("emojiworld")


def test_the_embedded_models_are_found_beside_the_package(monkeypatch, tmp_path, clip_folder, depth_folder):
    monkeypatch.setattr(features, "files", lambda package: tmp_path)
    shutil.copytree(clip_folder, tmp_path / "emojiworld" / "assets" / "clip")
    shutil.copytree(depth_folder, tmp_path / "emojiworld" / "assets" / "depth")
    assert load_clip("emojiworld").name == "CLIP emojiworld"
    assert load_depth("emojiworld").name == "DPT emojiworld"


def test_networks_are_loaded_once_and_shared(clip_folder, depth_folder):
    assert load_clip(str(clip_folder)) is load_clip(str(clip_folder))
    assert load_depth(str(depth_folder)) is load_depth(str(depth_folder))


@torch.no_grad()
def test_published_clips_come_from_the_cache_with_their_own_settings(
    clip_folder, tmp_path, monkeypatch, noise
):
    (tmp_path / "tiny-clip.json").write_text(json.dumps({**CLIP_CONFIG, "quick_gelu": False}))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    facts = {"hf_hub": "someone/tiny/", "quick_gelu": True, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}
    monkeypatch.setattr(features, "get_pretrained_cfg", lambda name, tag: facts if tag == "openai" else {})
    snapshot = tmp_path / "hub" / "models--someone--tiny" / "snapshots" / "abc"
    (snapshot.parents[1] / "refs").mkdir(parents=True)
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    snapshot.mkdir(parents=True)
    shutil.copy(clip_folder / "open_clip_model.safetensors", snapshot)
    clip, frames = load_clip("tiny-clip"), noise()
    torch.testing.assert_close(clip.images(frames), load_clip(str(clip_folder)).images(frames))
    with pytest.raises(InputError, match="clip source is 'tiny-clip:other'"):
        load_clip("tiny-clip:other")


@pytest.fixture
def checkpoints(tmp_path):
    (tmp_path / "torch" / "checkpoints").mkdir(parents=True)
    return tmp_path / "torch" / "checkpoints"


@torch.no_grad()
def test_flow_is_that_of_torchvision(checkpoints, noise):
    raft = raft_small().eval()
    torch.save(raft.state_dict(), checkpoints / "raft_small_C_T_V2-01064c6d.pth")
    first, second = noise(2, 128, 128).split(1)
    flow = load_flow().between(first, second)
    torch.testing.assert_close(flow, raft(first, second)[-1], atol=1e-4, rtol=1e-4)
    assert load_flow().name == "RAFT raft_small"


@pytest.mark.slow
def test_lpips_is_that_of_torchmetrics(checkpoints, noise):
    torch.save(alexnet().state_dict(), checkpoints / "alexnet-owt-7be5be79.pth")
    first, second = noise(2, 64, 64).split(1)
    expected = learned_perceptual_image_patch_similarity(first, second, net_type="alex")
    torch.testing.assert_close(load_lpips()(first, second), expected)


def test_pick_score_from_a_folder(tmp_path):
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**text, "image_size": 32, "patch_size": 16}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).eval()
    model.save_pretrained(tmp_path / "pick")
    network = load_pick_score(str(tmp_path / "pick"))
    assert network.name == "PickScore pick"
    assert network.logit_scale == pytest.approx(model.logit_scale.exp().item())
    with pytest.raises(InputError, match=r"depth network source .* holds CLIPModel, it must be a DPTFor"):
        load_depth(str(tmp_path / "pick"))


def test_what_is_no_such_network_is_refused(tmp_path, depth_folder):
    with pytest.raises(InputError, match="clip source is 'no-such-model'"):
        load_clip("no-such-model")
    with pytest.raises(InputError, match=r"lacks open_clip_config.json or open_clip_model.safetensors"):
        load_clip(str(depth_folder))
    with pytest.raises(
        InputError, match="flow source is 'farneback', it must be one of raft_small, raft_large"
    ):
        load_flow("farneback")
    with pytest.raises(InputError, match=r"depth network source .* lacks config.json"):
        load_depth(str(tmp_path))
    headless = DPTConfig.from_pretrained(depth_folder)
    DPTModel(headless).save_pretrained(tmp_path / "headless")
    with pytest.raises(InputError, match="holds DPTModel, it must be a DPTForDepthEstimation"):
        load_depth(str(tmp_path / "headless"))
    config = json.loads((tmp_path / "headless" / "config.json").read_text())
    config["architectures"] = ["DPTForDepthEstimation"]
    (tmp_path / "headless" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="is no depth network: it lacks head"):
        load_depth(str(tmp_path / "headless"))


def test_depth_weights_without_what_nobody_reads_are_complete(tmp_path, depth_folder, noise):
    shutil.copytree(depth_folder, tmp_path / "published")
    weights = load_file(depth_folder / "model.safetensors")
    unused = {name for name in weights if ".layers.0.residual_layer1." in name}
    kept = {name: tensor for name, tensor in weights.items() if name not in unused}
    save_file(kept, tmp_path / "published" / "model.safetensors", {"format": "pt"})
    frames = noise()
    depths = [load_depth(str(folder)).measure(frames) for folder in (depth_folder, tmp_path / "published")]
    assert unused and torch.equal(*depths)


def test_the_size_stands_beside_the_weights_in_an_old_form_or_in_the_configuration(tmp_path, depth_folder):
    folder = shutil.copytree(depth_folder, tmp_path / "other")
    assert load_depth(str(folder)).size == (32, 32), "the configuration's"
    load_depth.cache_clear()
    (folder / "preprocessor_config.json").write_text('{"size": 48, "image_mean": [0.4, 0.4, 0.4]}')
    network = load_depth(str(folder))
    assert network.size == (48, 48) and network.mean.unique() == torch.tensor(0.4)


def test_pickles_are_not_opened_and_damage_is_said(tmp_path, depth_folder):
    folder = shutil.copytree(depth_folder, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"depth network source .* cannot be loaded"):
        load_depth(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no \*\.safetensors"):
        load_depth(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"has only pytorch_model\.bin, a pickle, which can run code"):
        load_depth(str(folder))
    (folder / "config.json").write_text("[]")
    with pytest.raises(InputError):
        load_depth(str(folder))


def test_weights_in_half_precision_work_on_the_cpu(tmp_path, depth_folder, noise):
    DPTForDepthEstimation.from_pretrained(depth_folder).half().save_pretrained(tmp_path / "half")
    frames = noise()
    half, full = (load_depth(str(folder)).measure(frames) for folder in (tmp_path / "half", depth_folder))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.02, atol=0.5)


def test_loading_says_nothing_and_leaves_logging_as_it_was(caplog):
    load_clip.cache_clear()
    with caplog.at_level(logging.INFO):
        load_clip("emojiworld")
        assert logging.getLogger().level == logging.INFO
    assert not caplog.records
