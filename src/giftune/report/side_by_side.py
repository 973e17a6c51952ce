"""A source and its edits playing together in one GIF."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.gif import write_gif
from giftune.report._drawing import GAP, MARGIN, Caption, paper, zoom

_SMALLEST_TILE, _LARGEST_TILE = 192, 320
_MOST_COLUMNS = 4
_CAPTION_LINES = 4


def side_by_side(rows: Sequence[tuple[str, Clip]], path: str | Path) -> None:
    """Write an animated GIF of captioned clips, the source first, with the timing and loop of the source.

    Clips with another number of frames play over the same time. Raises InputError without rows.
    """
    if not rows:
        raise InputError("rows=[] is empty: it must hold the source at least")
    source = rows[0][1]
    tiles = [_tiles(clip, len(source)) for _, clip in rows]
    page, places = _page([text for text, _ in rows], [tile.shape[1:3] for tile in tiles])
    frames = np.repeat(np.asarray(page)[None], len(source), axis=0)
    for tile, (left, top) in zip(tiles, places, strict=True):
        frames[:, top : top + tile.shape[1], left : left + tile.shape[2]] = tile
    write_gif(Clip.from_pixels(frames, source.durations_ms, source.loop, source.name), path, quality="best")


def _tiles(clip: Clip, num_frames: int) -> UInt8[np.ndarray, "f h w 3"]:
    """The frame of the clip for each frame of the source."""
    pixels = clip.pixels()
    return np.stack(
        [
            zoom(pixels[k * len(pixels) // num_frames], _SMALLEST_TILE, _LARGEST_TILE)
            for k in range(num_frames)
        ]
    )


def _page(
    captions: Sequence[str], sizes: Sequence[tuple[int, ...]]
) -> tuple[Image.Image, list[tuple[int, int]]]:
    """The page with its captions, and where the top left corner of each clip goes."""
    columns = math.ceil(len(sizes) / math.ceil(len(sizes) / _MOST_COLUMNS))
    tile_height, width = (max(side) for side in zip(*sizes, strict=True))
    texts = [Caption.fit(text, width, _CAPTION_LINES) for text in captions]
    height = tile_height + GAP + max(text.height for text in texts)
    num_rows = math.ceil(len(sizes) / columns)
    gap = 2 * GAP
    page = paper(2 * MARGIN + columns * (width + gap) - gap, 2 * MARGIN + num_rows * (height + gap) - gap)
    places = []
    for index, (size, text) in enumerate(zip(sizes, texts, strict=True)):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * (width + gap), MARGIN + row * (height + gap)
        places.append((left + (width - size[1]) // 2, top + (tile_height - size[0]) // 2))
        text.draw(page, left, top + tile_height + GAP)
    return page, places
