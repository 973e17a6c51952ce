"""Progressive distillation (Salimans and Ho 2022): a tuned GIF-Tune learns to draw in half of its steps."""

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.distillation import single_step
from giftune.diffusion.prediction import add_noise, target
from giftune.errors import InputError
from giftune.losses.step import DenoisingStep
from giftune.methods.denoiser import denoiser
from giftune.methods.giftune import GifTune, TuningBatch
from giftune.methods.workspace import noise_like
from giftune.sampling.solvers import DDIM
from giftune.unet.held_weights import held_weights
from giftune.unet.weights import read_metadata


class Distilled(GifTune):
    """A GIF-Tune of the same `settings` as its teacher, which learns to do in `steps` what it does in twice.

    `teacher` is a file of tuned weights, read when tuning begins; one that was distilled itself must have
    been so to twice the steps. The student learns from the source under its caption and under no text, with
    which it is inverted, and from the teacher's edits with `prompts` at the scale `teacher_guidance`; that
    is ours, for there is no other data of one clip. With `teach_guidance` this scale goes into the weights,
    and edits need none. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        teacher: str | Path,
        steps: int = 10,
        prompts: Sequence[str] = (),
        teacher_guidance: float = 7.5,
        teach_guidance: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(backbone, **settings)
        if self.solver != DDIM or self.window.frames is not None:
            raise InputError("sampler must be ddim and window.frames null: steps of whole clips are learnt.")
        if self.network.mapping is not None and self.network.mapping.apply_to != "every_step":
            raise InputError("parts.mapping is 'initial_noise_only', which cannot be distilled.")
        if teach_guidance and self.guidance != 1:
            raise InputError(f"guidance is {self.guidance}, it must be 1 where teach_guidance is true.")
        self.teacher, self.steps, self.prompts = Path(teacher), steps, list(prompts)
        self.teacher_guidance, self.teach_guidance = teacher_guidance, teach_guidance
        self._leads, level = self._teacher_steps(), self.schedule.alpha_bar
        self._steps = [(t, to) for t, to in self.schedule.pairs(steps) if level(t) != level(to)]
        self._taught: dict[str, Tensor] = {}
        self._distilled: dict[str, Any] = {}

    def prepare(self, clip: Clip, caption: str) -> TuningBatch:
        """The source and the teacher's edits, one row each; the last one is the source under no text."""
        self._become_teacher()
        source = super().prepare(clip, caption)
        teacher = copy.copy(self)
        teacher.num_steps = teacher.inversion_steps = 2 * self.steps
        teacher.guidance = self._outside(self.teacher_guidance)
        drawn = GifTune.edit(teacher, clip, self.prompts, Generator().manual_seed(0)) if self.prompts else ()
        edits = [self.workspace.posterior(edit) for edit in drawn]
        rows = [(source.mean, source.std), *edits, (source.mean, source.std)]
        text = self.workspace.text([caption, *self.prompts, ""])
        self.workspace.release()
        mean, std = (torch.cat(parts) for parts in zip(*rows, strict=True))
        return TuningBatch(mean, std, text, source.picture)

    def step(self, batch: TuningBatch, generator: Generator) -> DenoisingStep:
        """A row and a step of the student at random: where the teacher arrives is what it learns."""
        row = int(torch.randint(len(batch.mean), (), generator=generator))
        mean, std, text = batch.mean[row, None], batch.std[row, None], batch.text[row, None]
        start, end = self._steps[int(torch.randint(len(self._steps), (), generator=generator))]
        noise = noise_like(mean, generator)
        source = mean + std * noise_like(mean, generator) if self.posterior == "sample" else mean
        noisy = add_noise(source, noise, self.schedule.alpha_bar(start))
        network = self._controlled(batch.picture)
        taught = self._outside(self.teacher_guidance) if self.teach_guidance else 1.0
        with torch.no_grad(), held_weights(self.network, self._taught):
            predict = partial(self.workspace.predict, network)
            denoise = denoiser(predict, self.schedule, text, batch.text[-1:], taught)
            reached, at = noisy, start
            while at != end:
                to = self._leads[at]
                levels = self.schedule.alpha_bar(at), self.schedule.alpha_bar(to)
                reached, at = ddim_step(reached, denoise(reached, at), *levels), to
        t = torch.full((1,), start, device=mean.device)
        alpha_bar, kind = self.schedule.alpha_bar(t), self.schedule.prediction_type
        x0, epsilon = single_step(noisy, reached, alpha_bar, self.schedule.alpha_bar(end))
        truth = target(x0, epsilon, alpha_bar, kind)
        prediction = self.workspace.predict(network, noisy, t, text)
        return DenoisingStep(noisy, prediction, truth, x0, t, alpha_bar, kind, self.workspace.decode, mean)

    def save(self, path: Path, **facts: Any) -> None:
        distilled = {"steps": self.steps, "guidance": self.teacher_guidance if self.teach_guidance else None}
        super().save(path, **{**facts, "distilled": distilled})

    def _teacher_steps(self) -> dict[int, int]:
        """Where they lead; raises `InputError` unless each of the student's is a whole number of them."""
        count = self.schedule.num_train_timesteps
        if self.steps < 2 or count % (2 * self.steps):
            known = ", ".join(str(n) for n in range(2, 51) if count % (2 * n) == 0)
            raise InputError(f"steps is {self.steps}, twice of it must divide {count}: {known} do.")
        return dict(self.schedule.pairs(2 * self.steps))

    def _become_teacher(self) -> None:
        """Load its weights, and keep a copy of them; raises `InputError` if it cannot teach these steps."""
        self.load(self.teacher)
        self._taught = {name: self.network.get_parameter(name).detach().clone() for name in self._names}
        self._distilled = read_metadata(self.teacher).get("distilled") or {}
        if self._distilled.get("steps", 2 * self.steps) != 2 * self.steps:
            raise InputError(
                f"steps is {self.steps}, but the teacher was distilled to {self._distilled['steps']}, "
                "and the student must take half as many."
            )
        inside = self._distilled.get("guidance")
        if inside is not None and (inside != self.teacher_guidance or not self.teach_guidance):
            raise InputError(
                f"the teacher has guidance {inside} in its weights, so teacher_guidance must be {inside}, "
                f"not {self.teacher_guidance}, and teach_guidance true."
            )

    def _outside(self, scale: float) -> float:
        """The scale that is left to apply to the teacher's predictions."""
        return scale if self._distilled.get("guidance") is None else 1.0
