"""What the metrics ask of a classifier that knows the truth about EmojiWorld."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Verdict(Protocol):
    """One name a frame for each attribute, and the subject's (x, y) in fractions of the sides."""

    @property
    def subject(self) -> list[str]: ...

    @property
    def background(self) -> list[str]: ...

    @property
    def style(self) -> list[str]: ...

    @property
    def centres(self) -> Float[Tensor, "f 2"]: ...


@runtime_checkable
class Judge(Protocol):
    def judge(self, frames: Float[Tensor, "f 3 h w"]) -> Verdict: ...
