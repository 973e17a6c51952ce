"""What Lightning's loggers lack: clips as they are in their GIF files, and an end."""

from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger


def log_gif(logger: Logger, key: str, path: Path, caption: str, step: int) -> None:
    """Show a GIF where the logger can: as a video in W&B, as an image that moves in TensorBoard."""
    if isinstance(logger, WandbLogger):
        logger.log_video(key, [str(path)], step=step, caption=[caption])
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment._get_file_writer().add_summary(_summary(key, path), step)
        logger.experiment.add_text(f"{key}/caption", caption, step)


def finish(logger: Logger, failed: bool) -> None:
    """Write what is pending and close; the next run of this process then starts one of its own."""
    logger.save()
    if isinstance(logger, WandbLogger):
        logger.experiment.finish(exit_code=int(failed))
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment.close()


def _summary(key: str, path: Path) -> Any:
    """The message that TensorBoard's own `add_video` writes after encoding a GIF again, with moviepy."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Image.open(path) as image:
        width, height = image.size
    picture = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=path.read_bytes())
    return Summary(value=[Summary.Value(tag=key, image=picture)])
