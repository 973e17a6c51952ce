import pytest
import torch

from giftune.errors import InputError
from giftune.training.checkpoint_io import AtomicCheckpointIO


def test_round_trip(tmp_path):
    path, io = tmp_path / "new" / "last.ckpt", AtomicCheckpointIO()
    content = {"step": 3, "state_dict": {"a": torch.arange(4)}, "loops": {"x": [1, None, "y"]}}
    io.save_checkpoint(content, path)
    back = io.load_checkpoint(path)
    assert back["state_dict"].pop("a").equal(content["state_dict"].pop("a")) and back == content
    io.remove_checkpoint(path)
    io.remove_checkpoint(path)
    assert not path.exists()


def test_an_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch):
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    io.save_checkpoint({"step": 1}, path)

    def half(content, target):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        io.save_checkpoint({"step": 2}, path)
    assert io.load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_refuses_damage_and_code(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError, match=r"last\.ckpt cannot be read"):
        AtomicCheckpointIO().load_checkpoint(path)
    torch.save({"object": InputError("x")}, path)
    with pytest.raises(InputError, match=r"last\.ckpt cannot be read"):
        AtomicCheckpointIO().load_checkpoint(path)
