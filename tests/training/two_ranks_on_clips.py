"""One of several processes that train together: fails once after a checkpoint. Arguments: a folder."""

import os
import sys
from functools import partial
from pathlib import Path

import torch

from giftune.data.clip_stream import ClipStream
from giftune.training.clip_trainer import ClipTrainer
from giftune.training.ranks import join, leave
from tests.training.toy_learner import ToyClips, ToyLearner


def main(folder: Path) -> None:
    ranks = join("cpu")
    resumed = (folder / "checkpoints" / "last.ckpt").exists()
    ranks.wait()

    def fail(step: int) -> None:
        if step == 8 and not resumed:
            os._exit(1)  # like a kill: nothing is cleaned up

    learner = ToyLearner()
    stream = ClipStream(ToyClips(bad={2, 7}), 3, ranks.rank, ranks.count)
    make_optimizer = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)
    ClipTrainer(12, batch_size=1, checkpoint_every=5, accumulate=2, warmup_steps=7).fit(
        learner, stream, make_optimizer, folder, on_step=fail
    )
    ranks.wait()
    found = {"scale": learner.network["head"].scale.detach()}
    torch.save(found, folder.parent / f"{folder.name}-{ranks.rank}.pt")
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
