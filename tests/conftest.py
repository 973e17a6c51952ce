"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
import torch


def pytest_configure(config: pytest.Config) -> None:
    """Processes that test side by side share the cores, and so do those that they start."""
    if (side_by_side := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))) > 1:
        threads = max(1, (os.cpu_count() or 1) // side_by_side)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Real clips beside the repository; tests that want them are skipped elsewhere."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared with real clips is not here")
    return folder
