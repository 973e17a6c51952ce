from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from giftune.backbone.lora import fuse_loras
from giftune.backbone.stable_diffusion import Backbone
from giftune.errors import InputError
from tests.checkpoints import build_sd1
from tests.loras import Delta, draw_deltas, write_kohya_lora, write_peft_lora

RANK, ALPHA = 2, 3.0


@pytest.fixture
def deltas(backbone: Backbone) -> list[Delta]:
    return draw_deltas(backbone.unet, backbone.text_encoder, RANK)


@pytest.fixture
def fuse(backbone: Backbone) -> Callable[..., None]:
    def call(*loras: tuple[Path | str, float]) -> None:
        fuse_loras(backbone.unet, backbone.text_encoder, loras)

    return call


def weights(backbone: Backbone) -> dict[str, torch.Tensor]:
    parts = {"unet": backbone.unet, "text_encoder": backbone.text_encoder}
    return {
        f"{p}.{name}": value.clone() for p, net in parts.items() for name, value in net.state_dict().items()
    }


@pytest.mark.parametrize(("layout", "own_scale"), [("peft", 1.0), ("kohya", ALPHA / RANK)])
def test_equal_to_adding_the_products(
    backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path, layout: str, own_scale: float
) -> None:
    path = tmp_path / "lora.safetensors"
    write_peft_lora(path, deltas) if layout == "peft" else write_kohya_lora(path, deltas, ALPHA)
    expected = weights(backbone)
    for delta in deltas:
        expected[f"{delta.part}.{delta.layer}.weight"] += delta.dense(0.7 * own_scale)
    fuse((path, 0.7))
    found = weights(backbone)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def test_several_add_up(backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path) -> None:
    first = write_peft_lora(tmp_path / "a.safetensors", deltas[:20])
    second = write_kohya_lora(tmp_path / "b.safetensors", deltas[10:], RANK)
    expected = weights(backbone)
    for scale, part in ((0.5, deltas[:20]), (-2, deltas[10:])):
        for delta in part:
            expected[f"{delta.part}.{delta.layer}.weight"] += delta.dense(scale)
    fuse((first, 0.5), (str(second), -2))
    for name, value in weights(backbone).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def test_nothing_of_the_adapter_stays(
    backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path
) -> None:
    before = [name for name, _ in (*backbone.unet.named_modules(), *backbone.text_encoder.named_modules())]
    fuse((write_peft_lora(tmp_path / "lora.safetensors", deltas), 1))
    after = [name for name, _ in (*backbone.unet.named_modules(), *backbone.text_encoder.named_modules())]
    assert before == after
    assert not any(hasattr(module, "base_layer") for module in backbone.unet.modules())


def test_alpha_may_stand_in_the_metadata(
    backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path
) -> None:
    path = write_peft_lora(
        tmp_path / "lora.safetensors", [d for d in deltas if d.layer.endswith("attn1.to_q")]
    )
    metadata = '{"unet.r": 2, "unet.lora_alpha": 6, "unet.target_modules": ["attn1.to_q"]}'
    save_file(load_file(path), path, {"format": "pt", "lora_adapter_metadata": metadata})
    delta = next(delta for delta in deltas if delta.layer.endswith("attn1.to_q"))
    expected = weights(backbone)[f"unet.{delta.layer}.weight"] + delta.dense(6 / 2)
    fuse((path, 1))
    torch.testing.assert_close(
        weights(backbone)[f"unet.{delta.layer}.weight"], expected, rtol=1e-4, atol=1e-5
    )


def test_a_folder_holds_the_usual_file(
    backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path
) -> None:
    write_peft_lora(tmp_path / "pytorch_lora_weights.safetensors", deltas)
    before = weights(backbone)
    fuse((tmp_path, 1))
    assert not torch.equal(weights(backbone)["unet.mid_block.attentions.0.proj_in.weight"],
                           before["unet.mid_block.attentions.0.proj_in.weight"])  # fmt: skip


def test_another_width_is_refused(fuse: Callable, deltas: list[Delta], tmp_path: Path) -> None:
    wider = [
        d._replace(down=torch.cat([d.down, d.down], 1)) if "attn2.to_k" in d.layer else d for d in deltas
    ]
    for path in (
        write_peft_lora(tmp_path / "a.safetensors", wider),
        write_kohya_lora(tmp_path / "b.safetensors", wider, 1),
    ):
        with pytest.raises(
            InputError, match=r"made for another model: unet\.\S+to_k has 32 inputs there and 16"
        ):
            fuse((path, 1))


def test_other_layers_are_refused(
    backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path
) -> None:
    before = weights(backbone)
    moved = [delta._replace(layer=f"far.{delta.layer}") for delta in deltas]
    with pytest.raises(InputError, match="changes no layer of this model"):
        fuse((write_peft_lora(tmp_path / "a.safetensors", moved), 1))
    assert all(torch.equal(value, before[name]) for name, value in weights(backbone).items())


def test_layers_that_are_ignored_are_counted(
    backbone: Backbone, deltas: list[Delta], fuse: Callable, tmp_path: Path
) -> None:
    *rest, last = (delta for delta in deltas if delta.part == "unet")
    path = write_peft_lora(tmp_path / "a.safetensors", [*rest, last._replace(layer=f"far.{last.layer}")])
    with pytest.warns(UserWarning, match=rf"1 of its {len(rest) + 1} layers do not exist here"):
        fuse((path, 1))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"conv.weight": 1}, "no Stable Diffusion LoRA|changes no layer"),
        ({"lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": 1}, "no Stable Diffusion LoRA"),
        ({"lora_unet_mid_block_attentions_0_proj_in.dora_scale": 1}, "a DoRA in kohya's layout"),
        ({}, "changes no layer|no Stable Diffusion LoRA"),
    ],
)
def test_other_files_are_refused(fuse: Callable, tmp_path: Path, tensors: dict, message: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({name: torch.zeros(size) for name, size in tensors.items()}, path)
    with pytest.raises(InputError, match=message):
        fuse((path, 1))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.safetensors", b"no", "no readable safetensors"),
        ("a.bin", b"no", "not a .safetensors file"),
        ("a.safetensors", None, "does not exist"),
    ],
)
def test_unreadable_files_are_refused(
    fuse: Callable, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        fuse((tmp_path / name, 1))


@pytest.mark.parametrize(
    "pair", ["a.safetensors", ["a.safetensors"], ["a.safetensors", "much"], {"path": "a", "scale": 1}]
)
def test_entries_are_pairs(fuse: Callable, pair: object) -> None:
    with pytest.raises(InputError, match="must be a path and a scale"):
        fuse(pair)


def test_a_smaller_u_net_is_another_model(tmp_path: Path, backbone: Backbone, fuse: Callable) -> None:
    from giftune.backbone.stable_diffusion import load_backbone

    other = load_backbone(build_sd1(tmp_path / "other", block_out_channels=(16, 32)), device="cpu")
    path = write_kohya_lora(tmp_path / "a.safetensors", draw_deltas(other.unet), 1)
    with pytest.raises(InputError, match="made for another model"):
        fuse((path, 1))
