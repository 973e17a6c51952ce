import hashlib

import torch
from torch import nn

from giftune.io.digest import digest, fingerprint


def test_digest_is_that_of_the_bytes():
    values = torch.arange(6, dtype=torch.int32).reshape(2, 3)
    by_hand = hashlib.sha256(bytes(byte for i in range(6) for byte in (i, 0, 0, 0))).hexdigest()
    assert digest([values]) == digest([values[:1], values[1:]]) == by_hand
    assert digest([values.T]) != by_hand


def test_fingerprint_tells_networks_apart_but_not_types():
    torch.manual_seed(0)
    network = nn.Linear(20, 30)
    before = fingerprint(network)
    assert fingerprint(nn.Linear(20, 30)) != before
    assert fingerprint(network.to(torch.bfloat16)) == before
    assert fingerprint(nn.Sequential(network)) != before
    with torch.no_grad():
        network.bias[3] += 1
    assert fingerprint(network) != before
