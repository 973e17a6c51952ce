"""The edited clips of a run: which exist, and drawing those that do not."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from giftune.io.atomic import write_json
from giftune.io.gif import write_gif
from giftune.io.names import slug
from giftune.methods.base import Editor, EditTask, OnProgress, Stored


class Edits:
    """A folder of GIFs with its `index.json`: one entry per prompt and settings, in the order of drawing."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder, self.settings = folder, dict(settings)
        self.index = folder / "index.json"
        self.entries: list[dict[str, Any]] = json.loads(self.index.read_text()) if self.index.exists() else []

    def find(self, prompt: str) -> Path | None:
        """The finished edit for this prompt with these settings."""
        entry = self.entry(prompt)
        return None if entry is None else self.folder / entry["file"]

    def entry(self, prompt: str) -> dict[str, Any] | None:
        """What the index says of that edit."""
        for entry in self.finished():
            if entry["prompt"] == prompt and entry["settings"] == self.settings:
                return entry
        return None

    def finished(self) -> list[dict[str, Any]]:
        """What the index says of every edit in the folder, with whatever settings."""
        return [entry for entry in self.entries if (self.folder / entry["file"]).is_file()]

    def missing(self, prompts: Sequence[str]) -> list[str]:
        return [prompt for prompt in prompts if self.find(prompt) is None]

    def draw(
        self, method: Editor, task: EditTask, prompts: Sequence[str], on_progress: OnProgress | None = None
    ) -> None:
        """Draw what is missing; each clip is on disk and in the index before the next is waited for."""
        missing, start = self.missing(prompts), time.perf_counter()
        if not missing:
            return
        self.folder.mkdir(exist_ok=True)
        generator = torch.Generator().manual_seed(self.settings["seed"])
        clips = method.edit(task.clip, missing, generator, on_progress)
        for prompt, clip in zip(missing, clips, strict=True):
            path = self.folder / f"{self._stem(prompt)}.gif"
            write_gif(task.restore(clip), path, self.settings["quality"])
            now = time.perf_counter()
            seconds = None if isinstance(method, Stored) else round(now - start, 6)  # made elsewhere
            entry = {"prompt": prompt, "file": path.name, "settings": self.settings, "seconds": seconds}
            self.entries = [old for old in self.entries if old["file"] != path.name]
            self.entries.append(entry)
            write_json(self.index, self.entries)
            start = now

    def share(self, rank: int) -> Path:
        """The index of what another process draws of the same job."""
        return self.folder / f".index-{rank}.json"

    def join(self, shares: Sequence[Path], prompts: Sequence[str]) -> None:
        """Take over what was entered there, and bring what was drawn of these prompts into their order."""
        for path in filter(Path.exists, shares):
            new = [entry for entry in json.loads(path.read_text()) if entry not in self.entries]
            files = {entry["file"] for entry in new}
            self.entries = [old for old in self.entries if old["file"] not in files] + new
        drawn = [e for e in self.entries if e["prompt"] in prompts and e["settings"] == self.settings]
        rest = [entry for entry in self.entries if entry not in drawn]
        self.entries = rest + sorted(drawn, key=lambda entry: prompts.index(entry["prompt"]))
        write_json(self.index, self.entries)
        for path in shares:
            path.unlink(missing_ok=True)

    def _stem(self, prompt: str) -> str:
        """A name of its own for the same prompt with other settings, so that no earlier edit is lost."""
        others = [e for e in self.entries if e["prompt"] == prompt and e["settings"] != self.settings]
        settings = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:6]
        return f"{slug(prompt)}-{settings}" if others else slug(prompt)
