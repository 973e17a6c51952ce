"""Magnitudes of motion that are measured once, however often a clip returns."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from giftune.io.digest import digest
from giftune.metrics.motion_magnitude import motion_magnitudes


class KeptMagnitudes:
    """Of pairs of frames, by what the clip shows; only the last `most` clips are remembered."""

    def __init__(self, checked: bool, most: int = 10_000) -> None:
        self.checked, self.most = checked, most
        self._known: dict[str, dict[tuple[int, int], float]] = {}

    def __call__(self, frames: Float[Tensor, "f 3 h w"], pairs: Sequence[tuple[int, int]]) -> list[float]:
        """Pixels, as `motion_magnitudes`."""
        clip = digest([frames])
        known = self._known.pop(clip, {})
        if missing := [pair for pair in pairs if pair not in known]:
            found = motion_magnitudes(frames, missing, checked=self.checked)
            known |= dict(zip(missing, found, strict=True))
        self._known[clip] = known  # the youngest is the last
        while len(self._known) > self.most:
            del self._known[next(iter(self._known))]
        return [known[pair] for pair in pairs]
