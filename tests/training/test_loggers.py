from unittest.mock import create_autospec

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from giftune.clip import Clip
from giftune.io.gif import write_gif
from giftune.training.loggers import finish, log_gif


@pytest.fixture
def gif(tmp_path):
    frames = torch.rand(3, 3, 8, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    write_gif(Clip(frames, (40, 50, 60)), tmp_path / "clip.gif", "best")
    return tmp_path / "clip.gif"


def test_tensorboard_gets_the_file_as_it_is(gif, tmp_path):
    logger = TensorBoardLogger(str(tmp_path), name="tensorboard", version="")
    logger.log_metrics({"loss/total": 0.5}, step=3)
    logger.finalize("success")  # as Lightning does after tuning
    log_gif(logger, "edit/a-fox", gif, "a fox", 7)
    finish(logger, failed=False)
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"images": 0}).Reload()
    (image,) = events.Images("edit/a-fox")
    assert image.encoded_image_string == gif.read_bytes()
    assert (image.step, image.width, image.height) == (7, 16, 8)
    assert events.Tensors("edit/a-fox/caption/text_summary")[0].tensor_proto.string_val == [b"a fox"]
    (scalar,) = events.Scalars("loss/total")
    assert (scalar.step, scalar.value) == (3, 0.5)


def test_csv_shows_no_clips_and_keeps_its_numbers(gif, tmp_path):
    logger = CSVLogger(str(tmp_path), name="logs")
    logger.log_metrics({"loss/total": 0.5}, step=3)
    log_gif(logger, "edit/a-fox", gif, "a fox", 7)
    finish(logger, failed=False)
    table = tmp_path / "logs" / "version_0" / "metrics.csv"
    assert table.read_text().split() == ["loss/total,step", "0.5,3"]


@pytest.mark.parametrize("failed", [False, True])
def test_wandb_gets_the_path_and_an_end(gif, failed):
    logger = create_autospec(WandbLogger, instance=True)
    log_gif(logger, "edit/a-fox", gif, "a fox", 7)
    logger.log_video.assert_called_once_with("edit/a-fox", [str(gif)], step=7, caption=["a fox"])
    finish(logger, failed)
    logger.experiment.finish.assert_called_once_with(exit_code=int(failed))
