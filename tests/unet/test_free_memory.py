import psutil
import pytest
import torch

from giftune.unet import free_memory as module
from giftune.unet.free_memory import free_memory

CPU = torch.device("cpu")


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """As if outside of a container."""
    monkeypatch.setattr(module, "GROUP", tmp_path)
    return tmp_path


@pytest.mark.skipif(not module.MEMINFO.exists(), reason="needs /proc")
def test_is_near_what_psutil_says(outside):
    assert free_memory(CPU) == pytest.approx(psutil.virtual_memory().available, rel=0.1)


def test_a_containers_limit_counts(outside):
    (outside / "memory.max").write_text("5000\n")
    (outside / "memory.current").write_text("2000\n")
    assert free_memory(CPU) == 3000
    (outside / "memory.max").write_text("max\n")
    assert free_memory(CPU) > 1e6


def test_elsewhere_it_is_half_of_what_there_is(outside, monkeypatch):
    monkeypatch.setattr(module, "MEMINFO", outside / "missing")
    assert free_memory(CPU) == pytest.approx(psutil.virtual_memory().total / 2, rel=0.01)


def test_of_a_gpu_what_torch_keeps_unused_is_free_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    assert free_memory(torch.device("cuda")) == 1300
