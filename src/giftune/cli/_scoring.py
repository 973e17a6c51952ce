"""Scores of the edits in a run folder.

What is compared is what was written: a GIF is read back, with its palette, and brought to the model's size,
where the source is as the model saw it. So scoring again, at any time, gives the same numbers.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

from giftune.backbone.placement import resolve_device
from giftune.cli._build import build
from giftune.cli._records import Records
from giftune.cli._steps import counted
from giftune.cli._tables import show_records, show_skipped
from giftune.cli.edits import Edits
from giftune.cli.run_folder import RunFolder
from giftune.io.gif import read_gif
from giftune.methods.base import EditTask, OnProgress

WHERE = ("device", "download")  # of a network: where it runs and comes from does not change what it says
FOREIGN = "needs a prompt in EmojiWorld's own words."


@dataclass(frozen=True)
class Scoring:
    """`metrics` as configured, empty to score nothing; nothing is loaded where nothing is to be measured."""

    metrics: Mapping[str, Any]
    folder: RunFolder
    task: EditTask
    edits: Edits

    @cached_property
    def records(self) -> Records:
        return Records(self.folder.records, _fingerprint(self.metrics))

    def score(self, on_progress: OnProgress) -> bool:
        """Measure every edit without a record, if any; each is on disk before the next is measured."""
        stale, started = self._stale() if self.metrics else [], time.perf_counter()
        if not stale:
            return False
        suite = self._suite(self.metrics)
        for number, entry in enumerate(stale, start=1):
            self.records.put(entry, self._measure(suite, entry))
            on_progress("scoring", number, len(stale))
        self.records.keep(self.edits.finished())
        print(f"scored {counted(stale)} in {time.perf_counter() - started:.1f} s")
        return True

    def show(self, prompts: Sequence[str]) -> None:
        """What was found on these prompts with the settings of the moment, and what was not."""
        entries = [entry for prompt in prompts if (entry := self.edits.entry(prompt)) is not None]
        records = [self.records.find(entry) for entry in entries] if self.metrics else []
        found = [record for record in records if record is not None]
        show_skipped(record["skipped"] for record in found)
        show_records(found)

    def _stale(self) -> list[dict[str, Any]]:
        """Edits without a record, or without a score for want of weights that are here by now."""
        found = [(entry, self.records.find(entry)) for entry in self.edits.finished()]
        wanted = {name for _, record in found if record for name in record["without_weights"]}
        here = self._suite({name: self.metrics[name] for name in wanted}).metrics if wanted else {}
        return [
            entry for entry, record in found if record is None or here.keys() & set(record["without_weights"])
        ]

    def _suite(self, metrics: Mapping[str, Any]) -> Any:
        from giftune.metrics.suite import Suite

        makers: dict[str, Callable[[], Any]] = {
            name: partial(build, _placed(entry), f"metric.{name}") for name, entry in metrics.items()
        }
        return Suite(makers)

    def _measure(self, suite: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
        task, prompt = self.task, entry["prompt"]
        asked, before = task.asked(prompt), task.asked(task.source_prompt)
        scores, skipped = suite.score(
            forgiving=True,
            source=task.clip.frames,
            edited=task.frame(read_gif(self.edits.folder / entry["file"])).frames,
            source_prompt=task.source_prompt,
            prompt=prompt,
            mask=task.mask,
            asked=asked,
            **task.truth,
        )
        if before is not None:  # the world's own clip: only the prompt can be strange
            skipped = {name: FOREIGN if why == "needs asked." else why for name, why in skipped.items()}
        return {
            "clip": (task.source or task.clip).name,
            "source": "source.gif",
            "source_prompt": task.source_prompt,
            "method": self.folder.method(),
            "scores": {score.name: _without_name(asdict(score)) for score in scores},
            "skipped": skipped,
            "changes": _changes(before, asked),
            "type": task.types.get(prompt),
            "without_weights": list(suite.skipped),
        }


def _changes(before: Mapping[str, str] | None, asked: Mapping[str, str] | None) -> list[str] | None:
    """Which attributes the prompt replaces; None where one of the two is not known."""
    if before is None or asked is None:
        return None
    return [name for name in asked if asked[name] != before[name]]


def _without_name(score: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in score.items() if key != "name"}


def _fingerprint(metrics: Mapping[str, Any]) -> str:
    text = json.dumps(_replaced(metrics, dict.fromkeys(WHERE)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _placed(config: Any) -> Any:
    """With the device named that "auto" means here."""
    return _replaced(config, {"device": lambda device: str(resolve_device(device))})


def _replaced(config: Any, changes: Mapping[str, Callable[[Any], Any] | None]) -> Any:
    if not isinstance(config, Mapping):
        return config
    return {
        key: _replaced(value, changes)
        if key not in changes
        else (change(value) if (change := changes[key]) else None)
        for key, value in config.items()
    }
