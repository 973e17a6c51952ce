"""Somebody else's results as a method: nothing is drawn, a manifest says what there is (docs/report.md)."""

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Generator

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.read import probe, read_clip
from giftune.methods.base import OnProgress

MANIFEST = "manifest.json"


class Result(NamedTuple):
    """One entry of the manifest."""

    file: Path
    source: str
    prompt: str
    method: str
    seed: str | None


class External:
    """The results of `path`, a folder with a manifest.json; satisfies `Editor`.

    `method` and `seed` choose where the manifest has several. Raises `InputError` for a manifest that cannot
    be read, and for results that it does not have.
    """

    def __init__(
        self,
        path: str | Path,
        method: str | None = None,
        seed: int | None = None,
        fit: Literal["crop", "pad", "stretch"] = "pad",
    ) -> None:
        self.path, self.seed, self.fit = Path(path).expanduser(), seed, fit
        results = _read(self.path)
        methods = list(dict.fromkeys(result.method for result in results))
        if method is None and len(methods) > 1:
            raise InputError(
                f"{self.path / MANIFEST} has results of {_quoted(methods)}: choose with method.method=."
            )
        if method is not None and method not in methods:
            raise InputError(
                f"method.method is {method!r}, but {self.path} has results of {_quoted(methods)}."
            )
        self.results = [result for result in results if method in (None, result.method)]

    @property
    def name(self) -> str:
        """What the manifest calls the method, which is what reports shall call it."""
        return self.results[0].method

    def prompts_for(self, clip: Clip) -> list[str]:
        """Every prompt of which there is a result for this clip, in the manifest's order."""
        return list(dict.fromkeys(result.prompt for result in self._of(clip)))

    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """The stored results with the timing of `clip`, which is recognised by its name; nothing is random.

        Where a result has more frames than `clip`, as many of them are taken, spread over the whole; where it
        has another size, it is fitted by `fit`, the way in which `clip` was made of its source. A warning
        says so. Fewer frames are refused, since none can be invented.
        """
        chosen = [self._find(clip, prompt) for prompt in prompts]
        for done, result in enumerate(chosen, start=1):
            stored = self._like(clip, result)
            if on_progress:
                on_progress("reading", done, len(chosen))
            yield stored

    def _of(self, clip: Clip) -> list[Result]:
        found = [result for result in self.results if clip.name in (result.source, Path(result.source).stem)]
        if not found:
            sources = _quoted(dict.fromkeys(Path(result.source).stem for result in self.results))
            raise InputError(f"{self.path} has no result for a clip named {clip.name!r}, only for {sources}.")
        return found

    def _find(self, clip: Clip, prompt: str) -> Result:
        found = [result for result in self._of(clip) if result.prompt == " ".join(prompt.split())]
        if not found:
            there = _quoted(self.prompts_for(clip))
            raise InputError(f"{self.path} has no result for {clip.name} with {prompt!r}, only with {there}.")
        seeds = ", ".join(str(result.seed) for result in found)
        if self.seed is not None:
            found = [result for result in found if result.seed == str(self.seed)]
        if len(found) != 1:
            raise InputError(
                f"method.seed is {self.seed}, but {self.path} has results for {clip.name} with {prompt!r} of "
                f"the seeds {seeds}."
            )
        if not found[0].file.exists():
            raise InputError(f"{self.path / MANIFEST} names {found[0].file}, which does not exist.")
        return found[0]

    def _like(self, clip: Clip, result: Result) -> Clip:
        header = probe(result.file)
        if header.num_frames < len(clip):
            raise InputError(
                f"{result.file} has {header.num_frames} frames, but {len(clip)} of the clip are used: "
                f"say data.num_frames={header.num_frames}."
            )
        changes = []
        if header.num_frames > len(clip):
            changes.append(f"{len(clip)} of its {header.num_frames} frames are used")
        if (header.width, header.height) != (clip.width, clip.height):
            sizes = f"{header.width} x {header.height} to {clip.width} x {clip.height}"
            changes.append(f"it is fitted from {sizes} by {self.fit!r}")
        if changes:
            warnings.warn(f"{result.file.name}: {', '.join(changes)}.", stacklevel=2)
        stored = read_clip(result.file, num_frames=len(clip), stride=None)
        return clip.with_frames(stored.fit(clip.height, clip.width, self.fit).frames)


def _read(folder: Path) -> list[Result]:
    """The entries of the manifest, of which every one must be complete."""
    if not folder.is_dir():
        raise InputError(f"method.path is {str(folder)!r}, which is no folder of results.")
    path = folder / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["results"]
    except FileNotFoundError as error:
        raise InputError(f"method.path is {str(folder)!r}, which has no {MANIFEST}.") from error
    except (OSError, ValueError, RecursionError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no manifest, a JSON object with a list of results.") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path} has no results.")
    return [_result(folder, number, entry) for number, entry in enumerate(entries)]


def _result(folder: Path, number: int, entry: Any) -> Result:
    needed = ("file", "source", "prompt", "method")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in needed):
        raise InputError(f"{folder / MANIFEST}: results[{number}] must have texts {', '.join(needed)}.")
    prompt, seed = " ".join(entry["prompt"].split()), entry.get("seed")
    file, seed = folder / entry["file"], None if seed is None else str(seed)
    return Result(file, entry["source"], prompt, entry["method"], seed)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "nothing"
