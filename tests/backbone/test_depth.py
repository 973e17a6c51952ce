import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from giftune.backbone.depth import load_depth
from giftune.errors import InputError

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32,
    "image_size": 32, "patch_size": 8, "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8, "initializer_range": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("depth")
    network = DPTForDepthEstimation(DPTConfig(**SMALL))
    network.head.head[-2].bias.data.fill_(1.0)  # away from its ReLU's flat side
    network.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    DPTImageProcessor(size=size, image_mean=[0.4, 0.5, 0.6], image_std=[0.5, 0.6, 0.7]).save_pretrained(
        folder
    )
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def pictures(*shape: int) -> np.ndarray:
    """Smooth ones: two resizing filters agree on them."""
    rng = np.random.default_rng(0)
    h, w = shape
    coarse = [Image.fromarray(rng.integers(0, 255, (5, 5, 3), dtype=np.uint8)) for _ in range(2)]
    return np.stack([np.asarray(x.resize((w, h), Image.Resampling.BICUBIC)) for x in coarse])


@pytest.mark.parametrize("shape", [(32, 32), (96, 128)])
def test_agrees_with_transformers_own_processor(saved: Path, shape: tuple[int, int]) -> None:
    frames = pictures(*shape)
    processed = DPTImageProcessor.from_pretrained(saved)(list(frames), return_tensors="pt")
    expected = DPTForDepthEstimation.from_pretrained(saved)(**processed).predicted_depth
    ours = load_depth(saved)(torch.from_numpy(frames).movedim(-1, 1).float() / 127.5 - 1)
    assert expected.std() > 1e-3
    tolerance = 1e-5 if shape == (32, 32) else 0.02 * float(expected.detach().max() - expected.detach().min())
    torch.testing.assert_close(ours, expected, atol=tolerance, rtol=0)


def test_gradients_reach_the_frames_and_nothing_else(saved: Path) -> None:
    depth = load_depth(saved).train()
    assert not any(module.training for module in depth.modules())
    frames = torch.zeros(1, 3, 40, 48, requires_grad=True)
    depth(frames).sum().backward()
    assert frames.grad is not None and frames.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in depth.parameters())


def test_half_precision_and_the_old_form_of_a_processor(copy: Path, saved: Path) -> None:
    DPTForDepthEstimation.from_pretrained(copy, dtype=torch.float16).save_pretrained(copy)
    (copy / "preprocessor_config.json").write_text('{"size": 32}')
    depth = load_depth(copy)
    assert {p.dtype for p in depth.parameters()} == {torch.float32}
    assert depth.size == (32, 32) and depth.mean.unique() == 0.5
    (copy / "preprocessor_config.json").unlink()
    assert load_depth(copy).size == (32, 32)


def test_the_residual_that_published_weights_omit_is_not_missed(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    frames = torch.zeros(1, 3, 32, 32)
    before = load_depth(copy)(frames)
    kept = {name: x for name, x in weights.items() if "fusion_stage.layers.0.residual_layer1." not in name}
    assert len(kept) == len(weights) - 4
    save_file(kept, copy / "model.safetensors", {"format": "pt"})
    torch.testing.assert_close(load_depth(copy)(frames), before)
    name = next(name for name in kept if name.startswith("head."))
    save_file({k: v for k, v in kept.items() if k != name}, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=f"lacks 1 tensors, {name} first"):
        load_depth(copy)


def test_wrong_folders(copy: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"config\.json is missing; a DPTForDepthEstimation"):
        load_depth(empty)
    (empty / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json is not JSON"):
        load_depth(empty)
    (empty / "config.json").write_text("[]")
    with pytest.raises(InputError, match="no JSON object"):
        load_depth(empty)
    with pytest.raises(InputError, match="is no folder"):
        load_depth(copy / "config.json")
    with pytest.raises(InputError, match="is no folder"):
        load_depth(tmp_path / "absent")
    with pytest.raises(InputError, match="could not be fetched from the Hugging Face hub"):
        load_depth("nobody/no-such-depth-network")


def test_other_networks_pickles_and_damage(copy: Path, tmp_path: Path) -> None:
    text = CLIPTextModel(CLIPTextConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                        num_attention_heads=1, vocab_size=16))  # fmt: skip
    text.save_pretrained(tmp_path / "text")
    with pytest.raises(InputError, match="holds CLIPTextModel; a DPTForDepthEstimation"):
        load_depth(tmp_path / "text")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "architectures": ["DPTForSemanticSegmentation"]}))
    with pytest.raises(InputError, match="holds DPTForSemanticSegmentation"):
        load_depth(copy)
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="does not load"):
        load_depth(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_depth(copy)
    (copy / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"only pytorch_model\.bin, a pickle"):
        load_depth(copy)
