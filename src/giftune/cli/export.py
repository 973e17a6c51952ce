"""`giftune export`: a data set of giftune, written in the layout that others read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from giftune.cli._run import run
from giftune.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune export folder=DIR [data=emojidavis42] [NAME=VALUE ...]

Write a data set that giftune draws into a folder in exactly the layout of DAVIS-2017 (JPEGImages,
Annotations, ImageSets), with its prompts as prompts.yaml: for other programs, and to try data=davis42 without
DAVIS. Only emojidavis42 can be written.

  data.clip=rabbit-jump       one clip
  data.num_frames=24 data.size=64

examples:
  giftune export folder=emojidavis42
  giftune tune data=davis42 data.path=emojidavis42 data.sheet=prompts.yaml data.size=64 data.clip=car-run"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    return run("export", argv, job)


def job(config: "DictConfig") -> None:
    """Raises `InputError` for a data set that is read from elsewhere, before it is looked at."""
    from giftune.cli._build import build, locate
    from giftune.cli._run import plain

    name = config.data._target_.rpartition(".")[2]
    if not hasattr(locate(config.data._target_, "data"), "write"):
        raise InputError(f"data is {name}, which cannot be written: it must be emojidavis42.")
    settings = plain(config)
    folder = Path(settings["folder"])
    data = build(settings["data"], "data")
    data.write(folder)
    edits = sum(len(entry.edits) for entry in data.entries)
    print(f"{len(data)} clip{'s' * (len(data) != 1)} with {edits} edits in {folder}, laid out as DAVIS:")
    print(f"giftune tune data=davis42 data.path={folder} data.sheet=prompts.yaml ...")
