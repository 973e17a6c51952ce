"""Checkpoints that survive a kill or a full disk while they are written."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from giftune.errors import InputError
from giftune.io.atomic import atomic_path


class AtomicCheckpointIO(CheckpointIO):
    """Writes beside the target, flushes, renames; Lightning's own stages in $TMPDIR and does not flush."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        del storage_options  # for remote file systems
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Plain types and tensors only; raises `InputError` for a file that is no such checkpoint."""
        del weights_only
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except Exception as error:  # torch names a dozen types for damaged files
            raise InputError(
                f"checkpoint {path} cannot be read; delete it to tune from the start."
            ) from error

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
