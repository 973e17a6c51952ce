import sys

import numpy as np
import psutil
import pytest

from giftune.benchmark import memory


def test_what_was_taken_and_given_back_is_seen():
    memory.peak()
    taken = np.ones(20_000_000)  # 160 MB
    del taken
    now = psutil.Process().memory_info().rss / memory.MB
    assert memory.peak() >= now + 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts anew")
def test_it_is_counted_anew():
    memory.peak()
    taken = np.ones(20_000_000)
    high = memory.peak()
    del taken
    memory.peak()
    assert memory.peak() < high - 100


def test_the_limit_lies_between_what_is_taken_and_what_there_is():
    now, everything = psutil.Process().memory_info().rss, psutil.virtual_memory().total
    assert now / memory.MB < memory.limit() <= everything / memory.MB
