"""One of several processes that tune together; tests start it as torchrun would. Arguments: a folder."""

import sys
from functools import partial
from pathlib import Path

import torch

from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.training.ranks import here, join, leave
from giftune.training.tuner import Tuner
from tests.training.conftest import ToyMethod


class Recording(torch.optim.AdamW):
    """Keeps the gradients of every step."""

    seen: list[torch.Tensor] = []  # noqa: RUF012

    def step(self, closure=None):
        result = super().step(closure)
        self.seen.append(self.param_groups[0]["params"][0].grad.clone())
        return result


def main(folder: Path) -> None:
    ranks = join("cpu")
    assert here() == ranks and ranks.first == (ranks.rank == 0)
    if ranks.first:
        ranks.tell({"hello": [1, 2]})
    else:
        assert ranks.hear() == {"hello": [1, 2]}
    loss = WeightedSum({"reconstruction": (Reconstruction(), 1.0), "temporal": (TemporalConsistency(), 0.5)})
    method = ToyMethod()
    make_optimizer = partial(Recording, lr=0.01, weight_decay=0.1)
    Tuner(6, checkpoint_every=2).fit(method, method.prepare(None, ""), loss, make_optimizer, folder, 3)
    ranks.wait()
    learnt = method.network["learnt"].detach()
    torch.save({"grads": Recording.seen, "learnt": learnt}, folder.parent / f"{ranks.rank}.pt")
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
