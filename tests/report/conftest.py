import pytest

from tests.result_folders import Sweep, write_sweep


@pytest.fixture(scope="session")
def ablation(tmp_path_factory):
    """A sweep with one failed cell, not to be changed."""
    sweep = Sweep(failed=("no_tuning,data=emojiworld_penguin,seed=2",))
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "ablation", sweep)
