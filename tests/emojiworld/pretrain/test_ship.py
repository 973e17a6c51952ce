"""What is shipped is what was trained, rounded to few bits, under the same header."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from giftune.emojiworld.pretrain.ship import ship
from giftune.unet.weights import load_weights, read_metadata, save_weights


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(32, 32, 3), nn.BatchNorm2d(32), nn.Conv2d(32, 4, 1))


NAMES = ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]


def test_weights_and_header_stay_and_only_what_is_large_loses_bits(tmp_path):
    trained, other = network(0), network(1)
    save_weights(trained, [*NAMES, "1.num_batches_tracked"], tmp_path / "a.safetensors", {"method": "toy"})
    ship(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert read_metadata(tmp_path / "b.safetensors") == read_metadata(tmp_path / "a.safetensors")
    load_weights(other, tmp_path / "b.safetensors", {"method": "toy"}, ["1.num_batches_tracked"])
    for name, value in other.named_parameters():
        rtol, atol = (2**-4, 2**-10) if name == "0.weight" else (2**-11, 1e-7)
        torch.testing.assert_close(value, trained.get_parameter(name), rtol=rtol, atol=atol)
    kinds = {name: value.dtype for name, value in load_file(tmp_path / "b.safetensors").items()}
    assert kinds.pop("0.weight") == torch.float8_e4m3fn and kinds.pop("1.num_batches_tracked") == torch.int64
    assert set(kinds.values()) == {torch.float16}


@pytest.mark.parametrize(("name", "value"), [("0.bias", 1e6), ("0.weight", 1e3), ("0.weight", float("nan"))])
def test_what_few_bits_cannot_hold_is_refused(tmp_path, name, value):
    trained = network(0)
    with torch.no_grad():
        trained.get_parameter(name).view(-1)[0] = value
    save_weights(trained, NAMES, tmp_path / "a.safetensors", {"method": "toy"})
    with pytest.raises(ValueError, match=rf"holds {name}, which torch.float"):
        ship(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert not (tmp_path / "b.safetensors").exists()
