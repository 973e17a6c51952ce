"""The look that contact sheets and side-by-side GIFs share: paper, ink, captions and tiles."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER, INK = (250, 250, 248), (38, 40, 46)
MARGIN, GAP = 24, 8
_TEXT_SIZE, _LINE_HEIGHT = 15, 20
_ELLIPSIS = "..."


def zoom(picture: UInt8[np.ndarray, "h w 3"], least: int, most: int) -> UInt8[np.ndarray, "a b 3"]:
    """Enlarge by a whole factor until the shorter side is `least`, or shrink until the longer fits `most`."""
    factor = -(-least // min(picture.shape[:2]))
    if factor > 1 and factor * max(picture.shape[:2]) <= most:
        return picture.repeat(factor, axis=0).repeat(factor, axis=1)
    shrink = -(-max(picture.shape[:2]) // most)
    return np.asarray(Image.fromarray(picture).reduce(shrink)) if shrink > 1 else picture


@dataclass(frozen=True)
class Caption:
    """A text broken into lines that fit a width."""

    lines: tuple[str, ...]
    font: Font

    @classmethod
    def fit(cls, text: str, width: int, max_lines: int) -> "Caption":
        """Break between words, or inside one that is too long; an ellipsis says that there is more."""
        font = _font(text.isascii())
        lines = [""]
        for word in text.split():
            joined = f"{lines[-1]} {word}".strip()
            if font.getlength(joined) <= width:
                lines[-1] = joined
                continue
            if lines[-1]:
                lines.append("")
            for letter in word:
                if lines[-1] and font.getlength(lines[-1] + letter) > width:
                    lines.append("")
                lines[-1] += letter
        if len(lines) > max_lines:
            last = lines[max_lines - 1]
            while last and font.getlength(last + _ELLIPSIS) > width:
                last = last[:-1]
            lines = [*lines[: max_lines - 1], last.rstrip() + _ELLIPSIS]
        return cls(tuple(lines), font)

    @property
    def height(self) -> int:
        return _LINE_HEIGHT * len(self.lines)

    def draw(self, canvas: Image.Image, left: int, top: int) -> None:
        """Write the lines below each other."""
        pen = ImageDraw.Draw(canvas)
        for row, line in enumerate(self.lines):
            pen.text((left, top + row * _LINE_HEIGHT), line, fill=INK, font=self.font)


def paper(width: int, height: int) -> Image.Image:
    """An empty page."""
    return Image.new("RGB", (width, height), PAPER)


@cache
def _font(ascii_only: bool) -> Font:
    if ascii_only:
        return ImageFont.load_default(_TEXT_SIZE)
    # Pillow's own font knows few other letters.
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", _TEXT_SIZE - 1)
