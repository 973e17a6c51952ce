"""What is shipped is what was trained, to half precision, under the same header."""

import pytest
import torch
from torch import nn

from giftune.emojiworld.pretrain.ship import ship
from giftune.unet.weights import load_weights, read_metadata, save_weights


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


NAMES = ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_weights_and_header_stay(tmp_path):
    trained, other = network(0), network(1)
    save_weights(trained, [*NAMES, "1.num_batches_tracked"], tmp_path / "a.safetensors", {"method": "toy"})
    ship(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert read_metadata(tmp_path / "b.safetensors") == read_metadata(tmp_path / "a.safetensors")
    load_weights(other, tmp_path / "b.safetensors", {"method": "toy"}, ["1.num_batches_tracked"])
    for name, value in other.named_parameters():
        torch.testing.assert_close(value, trained.get_parameter(name), rtol=2**-11, atol=1e-7)
    assert (tmp_path / "b.safetensors").stat().st_size < (tmp_path / "a.safetensors").stat().st_size


def test_what_half_precision_cannot_hold_is_refused(tmp_path):
    trained = network(0)
    with torch.no_grad():
        trained[0].bias[0] = 1e6
    save_weights(trained, NAMES, tmp_path / "a.safetensors", {"method": "toy"})
    with pytest.raises(ValueError, match=r"holds 0\.bias, which is not finite"):
        ship(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert not (tmp_path / "b.safetensors").exists()
