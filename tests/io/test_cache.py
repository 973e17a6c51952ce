import pytest
import torch

from giftune.io.cache import cached


@pytest.fixture
def count():
    """Something to compute that counts how often it was."""

    class Count:
        calls = 0

        def __call__(self):
            self.calls += 1
            return {"mean": torch.arange(8.0) + self.calls, "half": torch.ones(2, 3).bfloat16()}

    return Count()


def test_computes_once_and_returns_the_same(tmp_path, count):
    first = cached(tmp_path / "new", {"clip": "a", "steps": "50"}, count)
    again = cached(tmp_path / "new", {"steps": "50", "clip": "a"}, count)
    assert count.calls == 1 and set(first) == set(again) == {"mean", "half"}
    for name, tensor in first.items():
        assert again[name].equal(tensor) and again[name].dtype == tensor.dtype
    other = cached(tmp_path / "new", {"clip": "a", "steps": "5"}, count)
    assert not other["mean"].equal(first["mean"])
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_without_a_folder_nothing_is_remembered(count):
    for _ in range(2):
        cached(None, {"clip": "a"}, count)
    assert count.calls == 2


def test_what_fails_leaves_nothing_behind(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, {"clip": "a"}, fail)
    assert not list(tmp_path.iterdir())


def flip_last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: content[:-9], lambda content: b"junk" * 9, flip_last_byte]
)
def test_a_damaged_file_is_computed_again(tmp_path, count, damage):
    cached(tmp_path, {"clip": "a"}, count)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        assert cached(tmp_path, {"clip": "a"}, count)["mean"].equal(torch.arange(8.0) + 2)
    assert count.calls == 2
