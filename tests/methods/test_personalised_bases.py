"""A method that does not learn, on models as people share them: folders, single files, LoRAs."""

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.errors import InputError
from giftune.methods.plug_and_play import PlugAndPlay
from tests.compvis import write_single_file
from tests.loras import draw_deltas, write_kohya_lora, write_peft_lora


def draw(backbone, clip):
    method = PlugAndPlay(backbone, feature_layer=1, first_attention_layer=2, num_steps=2, guidance=3.0)
    (edited,) = method.edit(clip, ["a red panda is surfing"], torch.Generator())
    return edited.frames


@pytest.fixture
def plain(folders):
    return lambda: load_backbone(folders["sd1"], device="cpu")


def test_a_folder_of_dreambooth(plain, folders, clip, tmp_path):
    """Its trainer saves another U-Net and text encoder beside the parts of the model it started from."""
    other = plain()
    with torch.no_grad():
        other.unet.mid_block.resnets[0].conv1.weight.mul_(1.5)
    other.unet.save_pretrained(tmp_path / "unet")
    other.text_encoder.save_pretrained(tmp_path / "text_encoder")
    for part in folders["sd1"].iterdir():
        if part.name not in ("unet", "text_encoder"):
            (tmp_path / part.name).symlink_to(part)
    found, expected = draw(load_backbone(tmp_path, device="cpu"), clip), draw(other, clip)
    assert found.equal(expected) and (found - draw(plain(), clip)).abs().max() > 1e-3


def test_a_single_file(plain, folders, clip, tmp_path):
    path = write_single_file(folders["sd1"], tmp_path / "community.safetensors")
    found = draw(load_backbone(path, device="cpu", config=folders["sd1"]), clip)
    torch.testing.assert_close(found, draw(plain(), clip), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layout", ["peft", "kohya"])
def test_a_lora(plain, folders, clip, tmp_path, layout):
    """Fused before the U-Net is inflated: as if its products had been in the weights."""
    expected, path = plain(), tmp_path / "style.safetensors"
    deltas = draw_deltas(expected.unet, expected.text_encoder)
    write_peft_lora(path, deltas) if layout == "peft" else write_kohya_lora(path, deltas, alpha=2)
    for delta in deltas:
        layer = getattr(expected, delta.part).get_submodule(delta.layer)
        with torch.no_grad():
            layer.weight.add_(delta.dense(0.5))
    found = draw(load_backbone(folders["sd1"], [(path, 0.5)], device="cpu"), clip)
    torch.testing.assert_close(found, draw(expected, clip), atol=1e-4, rtol=1e-4)
    assert (found - draw(plain(), clip)).abs().max() > 1e-3


def test_a_lora_of_another_kind_of_model_is_refused(plain, folders, tmp_path):
    """Keys that match nothing: as of a LoRA for a transformer."""
    deltas = [d._replace(layer=f"transformer_blocks.0.{d.layer}") for d in draw_deltas(plain().unet)]
    path = write_peft_lora(tmp_path / "flux.safetensors", deltas)
    with pytest.raises(InputError, match=r"flux.safetensors' changes no layer of this model; it names"):
        load_backbone(folders["sd1"], [(path, 1.0)], device="cpu")
