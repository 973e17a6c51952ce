import hashlib

import torch

from giftune.data.seeded import seeded


def test_every_key_has_its_own_draws_and_always_the_same():
    keys = [(1, 23), (12, 3), (123,), (1, 2, 3), ("epoch", 1), ("excerpt", 1), ("epoch", 1, 0)]
    draws = {key: tuple(torch.randn(4, generator=seeded(*key)).tolist()) for key in keys}
    assert len(set(draws.values())) == len(keys)
    for key in keys:
        assert tuple(torch.randn(4, generator=seeded(*key)).tolist()) == draws[key]


def test_the_seed_is_a_hash_so_that_old_runs_repeat():
    expected = int.from_bytes(hashlib.sha256(b"3 5").digest()[:8], "little") >> 1
    assert seeded(3, 5).initial_seed() == expected
