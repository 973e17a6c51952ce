"""What `tune` and `edit` share: the clip, the method, the edits, the results."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from giftune.cli import _together as together
from giftune.cli._build import build
from giftune.cli._method import has_backbone, is_controlled, learns
from giftune.cli.edits import Edits
from giftune.cli.run_folder import WITHOUT_EFFECT, RunFolder, flatten
from giftune.errors import InputError
from giftune.io.gif import read_gif
from giftune.io.gif_palette import QUALITIES
from giftune.methods.base import Editor, EditTask, OnProgress
from giftune.report.contact_sheet import contact_sheet
from giftune.report.side_by_side import side_by_side

SAMPLING = ("num_steps", "guidance", "inversion_steps", "solver")


def read_task(config: Mapping[str, Any]) -> EditTask:
    """The clip to work on, with a note when the backbone cannot know it."""
    task = next(iter(build(config["data"], "data")))
    if has_backbone(config) and config["backbone"]["source"] == "emojiworld" and task.source is not None:
        print("note: the embedded model knows only its own toy world; say backbone=sd15 for real clips.")
    return task


def source_hash(task: EditTask) -> str:
    """Tells one source from another: what the model sees, and the size and timing that results get back."""
    source = task.source or task.clip
    shape = f"{task.clip.content_hash()} {source.width} x {source.height} {source.durations_ms} {source.loop}"
    return hashlib.sha256(shape.encode()).hexdigest()


def edit_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What an edit depends on besides weights and prompt; raises `InputError` for an unknown quality."""
    if (quality := config["edit"]["quality"]) not in QUALITIES:
        raise InputError(f"edit.quality is {quality!r}, it must be one of {', '.join(QUALITIES)}.")
    sampling = {name: config["method"][name] for name in SAMPLING if name in config["method"]}
    if learns(config) and is_controlled(config):
        control = flatten({"control": config["method"]["control"]})
        sampling |= {name: value for name, value in control if f"method.{name}" not in WITHOUT_EFFECT}
    return {**sampling, "seed": config["seed"], "quality": quality}


def draw(
    method: Editor, task: EditTask, edits: Edits, prompts: Sequence[str], on_progress: OnProgress
) -> None:
    """Draw these edits and say how long that took."""
    started = time.perf_counter()
    together.draw(method, task, edits, prompts, on_progress)
    print(f"drew {counted(prompts)} in {time.perf_counter() - started:.1f} s")


def counted(edits: Sequence[Any]) -> str:
    return f"{len(edits)} edit{'s' * (len(edits) != 1)}"


def show(folder: RunFolder, task: EditTask, edits: Edits, prompts: Sequence[str]) -> None:
    """Lay the source beside all edits so far, and say where everything is."""
    drawn = edits.index.stat().st_mtime if edits.index.exists() else 0
    if not folder.comparison.exists() or folder.comparison.stat().st_mtime < drawn:
        rows = [(task.source_prompt, task.source or task.clip)]
        rows += [(entry["prompt"], read_gif(edits.folder / entry["file"])) for entry in edits.finished()]
        contact_sheet(rows, folder.sheet)
        side_by_side(rows, folder.comparison)
    print(f"results in {folder.path}:")
    for path in (*map(edits.find, prompts), folder.sheet, folder.comparison):
        assert path is not None, "every prompt has been drawn"
        print(f"  {path.relative_to(folder.path)}")
