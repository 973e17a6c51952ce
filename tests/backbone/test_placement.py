import pytest
import torch

from giftune.backbone.placement import resolve_device, resolve_dtype
from giftune.errors import InputError


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_best_device(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, best: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == torch.device(best)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "privateuseone", "meta"])
def test_absent_devices_are_refused(device: str) -> None:
    with pytest.raises(InputError, match=f"device is '{device}'.*'cpu'"):
        resolve_device(device)


def test_a_device_is_itself() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("device", "dtype"), [("cuda", torch.bfloat16), ("cpu", torch.float32)])
def test_auto_precision_follows_the_device(device: str, dtype: torch.dtype) -> None:
    assert resolve_dtype("auto", torch.device(device)) == dtype


def test_a_precision_is_itself() -> None:
    assert resolve_dtype("float16", torch.device("cpu")) == torch.float16


def test_unknown_precisions_are_refused() -> None:
    with pytest.raises(InputError, match=r"dtype is 'int8'.*'bfloat16'"):
        resolve_dtype("int8", torch.device("cpu"))
