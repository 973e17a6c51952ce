import pytest
import torch
from safetensors.torch import load_file, save_file

from giftune import __version__
from giftune.errors import InputError
from giftune.unet.inflate import inflate
from giftune.unet.trainable import select_trainable
from giftune.unet.weights import load_weights, read_metadata, save_weights, start_from_weights

EXPECTED = {"base": "miniature", "pattern": "sparse_causal"}


@pytest.fixture
def tuned(make_unet, tmp_path, rng):
    """A tuned network and its file."""
    unet = inflate(make_unet()).unet
    names = select_trainable(unet)
    with torch.no_grad():
        for name in names:
            unet.get_parameter(name).normal_(generator=rng)
    save_weights(unet, names, tmp_path / "weights.safetensors", {**EXPECTED, "temporal": True})
    return unet, tmp_path / "weights.safetensors"


def fresh(make_unet, **kwargs):
    unet = inflate(make_unet(), **kwargs).unet
    select_trainable(unet, ["attn1.to_q", "attn2.to_q"] + ["temporal"] * kwargs.get("temporal", True))
    return unet


def test_round_trip_is_bit_equal_and_holds_nothing_else(tuned, make_unet):
    unet, path = tuned
    loaded = fresh(make_unet)
    load_weights(loaded, path, EXPECTED)
    assert all(torch.equal(a, b) for a, b in zip(unet.parameters(), loaded.parameters(), strict=True))
    assert set(load_file(path)) == {name for name, p in unet.named_parameters() if p.requires_grad}
    assert read_metadata(path) == {**EXPECTED, "temporal": True, "giftune": __version__}


def test_half_precision_files_load_into_full_precision_networks(tuned, make_unet):
    unet, path = tuned
    save_weights(unet, select_trainable(unet), path, EXPECTED, dtype=torch.float16)
    loaded = fresh(make_unet)
    load_weights(loaded, path, EXPECTED)
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for a, b in zip(unet.parameters(), loaded.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_another_architecture_is_refused(tuned, make_unet):
    with pytest.raises(InputError, match="tuned with pattern 'sparse_causal', but here pattern is 'full'"):
        load_weights(fresh(make_unet), tuned[1], {"pattern": "full"})


def test_names_must_match_exactly_both_ways(tuned, make_unet):
    unet, path = tuned
    with pytest.raises(InputError, match=r"temporal\.to_k\.weight is not trainable here"):
        load_weights(fresh(make_unet, temporal=False), path, EXPECTED)
    save_weights(unet, select_trainable(unet, ["attn1.to_q"]), path, EXPECTED)
    with pytest.raises(InputError, match=r"attn2\.to_q\.weight is not in the file"):
        load_weights(fresh(make_unet), path, EXPECTED)


def test_a_wrong_shape_is_refused_before_anything_is_copied(tuned, make_unet):
    unet, path = tuned
    last = select_trainable(unet)[-1]
    tensors = {name: p.detach() for name, p in unet.named_parameters() if p.requires_grad}
    tensors[last] = torch.zeros(3, 3)
    save_file(tensors, path, metadata={"giftune": "{}"})
    untouched = fresh(make_unet)
    with pytest.raises(InputError, match=r"shape \(3, 3\)"):
        load_weights(untouched, path, {})
    reference = fresh(make_unet)
    assert all(torch.equal(a, b) for a, b in zip(untouched.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize("content", [b"", b"GIF89a is no tensor file"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(InputError, match="is not a file"):
        read_metadata(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_metadata(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not weights tuned by giftune"):
        read_metadata(path)


def test_a_larger_network_starts_from_a_smaller_ones_file(tuned, make_unet):
    small, path = tuned
    save_weights(small, select_trainable(small, ["attn1.to_q"]), path, EXPECTED)
    large, new = fresh(make_unet), fresh(make_unet)
    start_from_weights(large, path, EXPECTED)
    for name, parameter in large.named_parameters():
        source = small if "attn1.to_q" in name else new
        assert parameter.equal(source.get_parameter(name))
    with pytest.raises(InputError, match="here pattern is 'full'"):
        start_from_weights(large, path, {"pattern": "full"})
    with pytest.raises(InputError, match=r"holds .*attn1\.to_q\.weight, which is not trainable here"):
        start_from_weights(large.requires_grad_(False), path, EXPECTED)


@pytest.mark.parametrize("inputs", [3, 5])
def test_a_convolution_starts_with_fewer_input_channels(tmp_path, inputs):
    narrow, wide = (torch.nn.Conv2d(channels, 2, 3) for channels in (3, inputs))
    behind = wide.weight[:, 3:].clone()
    save_weights(narrow, ["weight", "bias"], tmp_path / "w", EXPECTED)
    start_from_weights(wide, tmp_path / "w", EXPECTED, widened=["weight"])
    assert wide.weight[:, :3].equal(narrow.weight) and wide.weight[:, 3:].equal(behind)
    if inputs == 5:
        with pytest.raises(InputError, match=r"shape \(2, 3, 3, 3\)"):
            start_from_weights(wide, tmp_path / "w", EXPECTED)
