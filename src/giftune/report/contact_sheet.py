"""Clips as still rows, to compare edits frame by frame on paper."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.atomic import atomic_path
from giftune.report._drawing import GAP, MARGIN, Caption, paper, zoom

_LARGEST_TILE = 256
_ROW_GAP = 20
_SHORTEST_CAPTION = 320
_CAPTION_LINES = 3


def contact_sheet(
    rows: Sequence[tuple[str, Clip]], path: str | Path, max_columns: int = 8, min_tile: int = 96
) -> None:
    """Write a PNG with one captioned row per clip, its frames in order.

    Clips longer than `max_columns` show that many frames, spread uniformly. Frames smaller than `min_tile`
    are enlarged by a whole factor: pixels stay square. Raises InputError without rows or columns.
    """
    if not rows or max_columns < 1:
        raise InputError(f"rows={len(rows)} and max_columns={max_columns} must be at least 1")
    strips = [_strip(clip, max_columns, min_tile) for _, clip in rows]
    width = max(_SHORTEST_CAPTION, *(strip.shape[1] for strip in strips))
    captions = [Caption.fit(text, width, _CAPTION_LINES) for text, _ in rows]
    heights = [caption.height + GAP + len(strip) for caption, strip in zip(captions, strips, strict=True)]
    sheet = paper(width + 2 * MARGIN, sum(heights) + _ROW_GAP * (len(rows) - 1) + 2 * MARGIN)
    top = MARGIN
    for caption, strip, height in zip(captions, strips, heights, strict=True):
        caption.draw(sheet, MARGIN, top)
        sheet.paste(Image.fromarray(strip), (MARGIN, top + height - len(strip)))
        top += height + _ROW_GAP
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)


def _strip(clip: Clip, max_columns: int, min_tile: int) -> UInt8[np.ndarray, "a b 3"]:
    """The frames beside each other, the colour of the page between them."""
    shown = clip.sample(min(len(clip), max_columns), stride=None)
    tiles = [zoom(picture, min_tile, _LARGEST_TILE) for picture in shown.pixels()]
    gap = np.asarray(paper(GAP, tiles[0].shape[0]))
    return np.concatenate([tiles[0], *(part for tile in tiles[1:] for part in (gap, tile))], axis=1)
