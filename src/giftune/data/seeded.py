"""Randomness that is a function of what it is for, so that nothing has to be remembered to repeat it."""

import hashlib

from torch import Generator


def seeded(*key: int | str) -> Generator:
    """A generator on the CPU; every key has one of its own."""
    digest = hashlib.sha256(" ".join(map(str, key)).encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
