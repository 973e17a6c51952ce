"""`giftune train start=FILE`, on a random checkpoint."""

import pytest
import torch
from safetensors.torch import load_file


@pytest.fixture
def train(giftune, checkpoint, tmp_path):
    def train(*given):
        return giftune(
            "train", "method=harivo_temporal", "backbone=local", f"backbone.source={checkpoint}",
            "backbone.device=cpu", "corpus.num_frames=3", "corpus.size=32", "trainer.batch_size=1",
            "trainer.max_steps=1", "trainer.workers=0", f"paths.runs={tmp_path}", *given,
        )  # fmt: skip

    return train


def test_a_run_goes_on_from_anothers_weights_with_more_parts(train, tmp_path):
    assert train("run_name=one", "optimizer.lr=0.1")[0] == 0
    first = tmp_path / "one" / "weights.safetensors"
    given = ["optimizer.lr=1e-9", "method.mapping=conv3d", "run_name=two", f"start={first}"]
    status, _, said = train(*given)
    assert (status, said) == (0, "")
    one, two = load_file(first), load_file(tmp_path / "two" / "weights.safetensors")
    assert one.keys() < two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-5, atol=1e-7)
    first.write_bytes(b"another file")
    status, _, said = train(*given)
    assert status == 2 and "belongs to another run: its start is " in said


def test_mistakes_are_one_sentence(train, tmp_path):
    status, _, said = train(f"start={tmp_path / 'nothing'}", "run_name=x")
    assert status == 2 and said.endswith("nothing, which is no file; it must be trained weights.\n")
    (tmp_path / "file").write_bytes(b"GIF89a")
    status, _, said = train(f"start={tmp_path / 'file'}", "run_name=x")
    assert status == 2 and "not a readable safetensors file" in said and not (tmp_path / "x").exists()
