"""What `tune` and `edit` end with: the missing edits, the results laid out, the missing scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from giftune.benchmark.stages import Stages
from giftune.cli._progress import Bars
from giftune.cli._scoring import Scoring
from giftune.cli._steps import draw, edit_settings, show
from giftune.cli.edits import Edits
from giftune.cli.run_folder import RunFolder
from giftune.methods.base import Editor, EditTask


def draw_and_score(
    config: Mapping[str, Any],
    folder: RunFolder,
    task: EditTask,
    prompts: Sequence[str],
    get_method: Callable[[], Editor],
    stages: Stages,
) -> bool:
    """Whether anything was missing; `get_method` is called only to draw, `stages` are told what it takes."""
    with folder.held():
        edits = Edits(folder.edits, edit_settings(config))
        scoring = Scoring(config.get("metric") or {}, folder, task, edits)
        if missing := edits.missing(prompts):
            with Bars(stages) as bars:
                draw(get_method(), task, edits, missing, bars)
        with stages.stage("writing"):
            show(folder, task, edits, prompts)
        with Bars(stages) as bars:
            scored = scoring.score(bars)
        if missing or scored:
            folder.add_stages(stages.summary())
        scoring.show(prompts)
    return bool(missing or scored)
