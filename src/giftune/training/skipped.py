"""The list of clips that could not be learnt from, in the folder of a run."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from giftune.data.clip_source import Skip
from giftune.training.clip_batches import Batch


class SkippedClips(pl.Callback):
    """One JSON line for each clip, as soon as it is met; every process adds those of its own batches.

    `known` are those left out from the start, which the first process adds.
    """

    def __init__(self, path: Path, known: Sequence[Skip] = ()) -> None:
        self.path, self.known = path, known
        self.listed: set[str] = set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.listed = {skip.clip for skip in read_skipped(self.path)}
        if trainer.is_global_zero:
            self._add(self.known)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._add(batch.skipped)

    def _add(self, skips: Iterable[Skip]) -> None:
        news = {skip.clip: skip for skip in skips if skip.clip not in self.listed}
        if news:
            self.listed |= news.keys()
            with self.path.open("a") as file:
                file.write("".join(f"{json.dumps(skip._asdict())}\n" for skip in news.values()))


def read_skipped(path: Path) -> list[Skip]:
    """Each clip once; a line cut off by a kill is left out."""
    found: dict[str, Skip] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            skip = Skip(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found.setdefault(skip.clip, skip)
    return list(found.values())


def counted(skips: Sequence[Any]) -> str:
    """As in `3 clips: 2 missing, 1 broken`."""
    kinds = Counter(skip.kind for skip in skips)
    said = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return f"{len(skips)} clip{'s' * (len(skips) != 1)}: {said}"
