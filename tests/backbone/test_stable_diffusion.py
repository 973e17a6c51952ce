import json
import shutil
from pathlib import Path

import pytest
import torch

from giftune.backbone.stable_diffusion import Backbone, load_backbone
from giftune.errors import InputError
from tests.checkpoints import build_sd1
from tests.compvis import write_single_file
from tests.loras import draw_deltas, write_peft_lora


def test_it_knows_its_latents(backbone: Backbone, checkpoint: Path) -> None:
    assert (backbone.latent_factor, backbone.latent_channels) == (8, 4)
    assert backbone.source == str(checkpoint)


def test_the_schedule_is_that_of_the_checkpoint(sd1: Path, sd2: Path) -> None:
    one, two = (load_backbone(source, device="cpu").schedule for source in (sd1, sd2))
    assert (one.prediction_type, two.prediction_type) == ("epsilon", "v_prediction")
    assert one.alphas_cumprod[0].item() == pytest.approx(1 - 0.00085)
    assert one.final_alpha_cumprod == one.alphas_cumprod[0] and one.steps_offset == 1


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_everything_is_frozen(sd1: Path, dtype: str) -> None:
    backbone = load_backbone(sd1, device="cpu", dtype=dtype)
    expected = torch.float32 if dtype == "auto" else torch.bfloat16
    assert (backbone.device, backbone.dtype) == (torch.device("cpu"), expected)
    for network in (backbone.vae, backbone.text_encoder, backbone.unet):
        assert not network.training
        assert {p.dtype for p in network.parameters()} == {expected}
        assert not any(p.requires_grad for p in network.parameters())


def test_it_speaks_only_when_asked(sd1: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    backbone = load_backbone(sd1, device="cpu")
    lora = write_peft_lora(tmp_path / "lora.safetensors", draw_deltas(backbone.unet))
    single = write_single_file(sd1, tmp_path / "model.safetensors")
    load_backbone(single, [(lora, 1.0)], "cpu", "bfloat16", config=sd1)
    assert capfd.readouterr() == ("", "")


def test_a_weak_lora_survives_low_precision(sd1: Path, tmp_path: Path) -> None:
    plain = load_backbone(sd1, device="cpu")
    lora = write_peft_lora(tmp_path / "lora.safetensors", draw_deltas(plain.unet))
    exact = load_backbone(sd1, [(lora, 1e-3)], "cpu", "float32").unet.state_dict()
    low = load_backbone(sd1, [[str(lora), 1e-3]], "cpu", "bfloat16").unet.state_dict()
    assert all(torch.equal(low[name], value.bfloat16()) for name, value in exact.items())
    assert any(
        not torch.equal(low[name], value.bfloat16()) for name, value in plain.unet.state_dict().items()
    )


@pytest.mark.parametrize("given", ["epsilon", "v_prediction"])
def test_the_prediction_can_be_overridden(checkpoint: Path, given: str) -> None:
    assert load_backbone(checkpoint, device="cpu", prediction_type=given).schedule.prediction_type == given


def test_a_single_file_is_found_by_being_a_file(checkpoint: Path, tmp_path: Path) -> None:
    path = write_single_file(checkpoint, tmp_path / "model.safetensors")
    ours = load_backbone(path, device="cpu", config=str(checkpoint))
    assert ours.source == str(path)
    expected = load_backbone(checkpoint, device="cpu")
    assert ours.schedule.prediction_type == expected.schedule.prediction_type
    latents, text = torch.zeros(1, 4, 8, 8), torch.ones(1, 77, 16)
    with torch.no_grad():
        torch.testing.assert_close(*(b.unet(latents, 5, text).sample for b in (ours, expected)))


def test_the_embedded_model_travels_with_the_package(
    sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("giftune.backbone.stable_diffusion.files", lambda package: tmp_path / package)
    with pytest.raises(InputError, match=r"unet/config\.json is missing"):
        load_backbone("emojiworld", device="cpu")
    shutil.copytree(sd1, tmp_path / "giftune.emojiworld/assets/text_to_image")
    assert load_backbone("emojiworld", device="cpu").source == "emojiworld"


def test_an_id_is_fetched_from_the_hub(sd1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("giftune.backbone.stable_diffusion.download", lambda *a: asked.append(a) or sd1)
    assert load_backbone("owner/name", device="cpu", revision="v1").source == "owner/name"
    assert asked == [("owner/name", "v1", None)]


def test_a_folder_goes_before_an_id(sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(sd1, tmp_path / "owner" / "name")
    monkeypatch.chdir(tmp_path)
    load_backbone("owner/name", device="cpu")


@pytest.mark.parametrize(
    "source", ["missing", "./missing", "/a/b", "models/missing.safetensors", "a/b.ckpt", ""]
)
def test_what_does_not_exist_is_refused(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"does not exist; it may be 'emojiworld'|no complete diffusers folder"
    ):
        load_backbone(source, device="cpu")


def test_an_unreachable_hub_is_said_in_one_sentence() -> None:
    with pytest.raises(InputError, match="'owner/not-there' could not be fetched") as caught:
        load_backbone("owner/not-there", device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".bin"])
def test_pickles_are_never_opened(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"not opened")
    with pytest.raises(InputError, match=r"is a pickle.*from_single_file\(file\)\.save_pretrained"):
        load_backbone(path, device="cpu")


@pytest.mark.parametrize("setting", ["revision", "config"])
def test_settings_without_effect_are_refused(sd1: Path, setting: str) -> None:
    with pytest.raises(InputError, match=rf"backbone\.{setting} is 'x'.*leave it out"):
        load_backbone(sd1, device="cpu", **{setting: "x"})


def test_settings_of_folders_are_refused_for_files(sd1: Path, tmp_path: Path) -> None:
    path = write_single_file(sd1, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"backbone\.variant is 'fp16'.*a single file: leave it out"):
        load_backbone(path, device="cpu", variant="fp16", config=sd1)


def test_a_sampler_that_predicts_images_is_refused(tmp_path: Path) -> None:
    folder = build_sd1(tmp_path)
    path = folder / "scheduler/scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prediction_type": "sample"}))
    with pytest.raises(InputError, match="prediction_type is 'sample'"):
        load_backbone(folder, device="cpu")
