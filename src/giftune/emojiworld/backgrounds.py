"""The backgrounds of EmojiWorld: sky, ground and a few objects at the horizon, with their inverse depth."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

Picture = Float[ndarray, "h w 3"]
Depth = Float[ndarray, "h w"]
HORIZON_DEPTH = 0.25  # inverse depth at the horizon; the sky is 0 and the bottom row 1


class Canvas(NamedTuple):
    """What a background paints on; `horizon` is a row, `y` and `x` are pixel grids in units of the side."""

    picture: Picture
    depth: Depth
    horizon: float
    y: Float[ndarray, "h 1"]
    x: Float[ndarray, "1 w"]
    rng: Generator

    def ground(self, far: tuple[int, int, int], near: tuple[int, int, int]) -> None:
        t = np.clip((self.y - self.horizon) / (1 - self.horizon), 0, 1)
        self.fill(self.y + 0 * self.x >= self.horizon, _mix(far, near, t))
        below = np.broadcast_to(self.y >= self.horizon, self.depth.shape)
        ramp = np.broadcast_to(HORIZON_DEPTH + (1 - HORIZON_DEPTH) * t, self.depth.shape)
        self.depth[below] = ramp[below]

    def fill(self, mask: ndarray, colour: ndarray, opacity: float = 1.0) -> None:
        cover = opacity * mask[..., None]
        self.picture[:] = self.picture * (1 - cover) + colour * cover

    def object(self, mask: ndarray, colour: tuple[int, int, int]) -> None:
        """Something standing on the horizon."""
        self.fill(mask, _rgb(colour))
        self.depth[mask] = HORIZON_DEPTH

    def spots(
        self, count: int, colour: tuple[int, int, int], width: float, flat: float, opacity: float
    ) -> None:
        """Ellipses strewn over the ground, larger when nearer."""
        for _ in range(count):
            t = self.rng.uniform(0.08, 1)
            cy, cx = self.horizon + t * (1 - self.horizon), self.rng.uniform(0, 1)
            radius = width * (0.4 + 0.6 * t)
            inside = ((self.x - cx) / radius) ** 2 + ((self.y - cy) / (radius * flat)) ** 2 < 1
            self.fill(inside, _rgb(colour), opacity)


def _rgb(colour: tuple[int, int, int]) -> Float[ndarray, "3"]:
    return np.array(colour, dtype=np.float32) / 255


def _mix(a: tuple[int, int, int], b: tuple[int, int, int], t: ndarray) -> ndarray:
    return _rgb(a) * (1 - t[..., None]) + _rgb(b) * t[..., None]


def _grass(c: Canvas) -> None:
    c.ground((104, 178, 74), (66, 140, 52))
    c.spots(7, (50, 118, 44), 0.07, 0.35, 0.6)


def _beach(c: Canvas) -> None:
    c.ground((240, 222, 164), (226, 196, 128))
    sea = c.horizon + 0.12
    c.fill((c.y >= c.horizon) & (c.y < sea) & (c.x >= 0), _rgb((40, 150, 200)))
    c.spots(4, (206, 172, 106), 0.05, 0.4, 0.7)


def _snow(c: Canvas) -> None:
    peak = c.rng.uniform(0.2, 0.8)
    for offset, height in ((-0.3, 0.16), (0.25, 0.2)):
        hill = c.y > c.horizon - height + 0.7 * np.abs(c.x - peak - offset)
        c.object(hill & (c.y < c.horizon), (176, 196, 220))
    c.ground((232, 240, 250), (250, 252, 255))
    c.spots(5, (206, 220, 238), 0.09, 0.3, 0.8)


def _ocean(c: Canvas) -> None:
    c.ground((40, 118, 196), (16, 66, 140))
    c.spots(9, (140, 196, 238), 0.07, 0.16, 0.7)


def _forest(c: Canvas) -> None:
    for cx in np.linspace(0.05, 0.95, 6) + c.rng.uniform(-0.07, 0.07, 6):
        top = c.horizon - c.rng.uniform(0.24, 0.42)
        tree = (np.abs(c.x - cx) < 0.34 * (c.y - top)) & (c.y < c.horizon + 0.02)
        c.object(tree, (24, int(c.rng.integers(76, 98)), 48))
    c.ground((72, 84, 40), (50, 56, 28))
    c.spots(6, (98, 72, 36), 0.06, 0.35, 0.6)


def _desert(c: Canvas) -> None:
    start, slope = c.rng.uniform(0.1, 0.6), c.rng.uniform(0.15, 0.25)
    dune = c.y > c.horizon - 0.12 + slope * np.abs(c.x - start)
    c.object(dune & (c.y < c.horizon), (196, 112, 56))
    c.ground((222, 138, 70), (186, 92, 42))
    c.spots(5, (156, 74, 36), 0.08, 0.25, 0.6)


def _city(c: Canvas) -> None:
    left = -0.05
    while left < 1:
        width, top = c.rng.uniform(0.13, 0.2), c.horizon - c.rng.uniform(0.15, 0.4)
        inside = (c.x >= left) & (c.x < left + width) & (c.y >= top) & (c.y < c.horizon)
        gray = int(c.rng.integers(92, 150))
        c.object(inside, (gray, gray, gray + 18))
        left += width
    c.ground((112, 112, 118), (78, 78, 84))
    lane = c.horizon + 0.55 * (1 - c.horizon)
    dash = (np.abs(c.y - lane) < 0.012) & ((c.x * 5 + c.rng.uniform()) % 1 < 0.5)
    c.fill(dash, _rgb((240, 220, 120)))


def _moon(c: Canvas) -> None:
    for _ in range(14):
        cy, cx = c.rng.uniform(0, c.horizon), c.rng.uniform(0, 1)
        c.fill((c.x - cx) ** 2 + (c.y - cy) ** 2 < 0.009**2, _rgb((255, 255, 240)))
    c.ground((150, 150, 162), (104, 104, 118))
    c.spots(6, (84, 84, 98), 0.08, 0.35, 0.7)


class Background(NamedTuple):
    place: str
    sky: tuple[tuple[int, int, int], tuple[int, int, int]]
    paint: Callable[[Canvas], None]


BACKGROUNDS: dict[str, Background] = {
    "grass": Background("on the grass", ((110, 180, 246), (196, 226, 252)), _grass),
    "beach": Background("on the beach", ((96, 190, 250), (210, 238, 250)), _beach),
    "snow": Background("in the snow", ((150, 176, 212), (214, 226, 242)), _snow),
    "ocean": Background("on the ocean", ((130, 196, 240), (222, 240, 250)), _ocean),
    "forest": Background("in the forest", ((112, 160, 136), (176, 206, 170)), _forest),
    "desert": Background("in the desert", ((236, 196, 132), (250, 230, 180)), _desert),
    "city": Background("in the city", ((164, 188, 216), (224, 226, 232)), _city),
    "moon": Background("on the moon", ((6, 6, 24), (20, 18, 48)), _moon),
}


def paint_background(name: str, size: int, horizon: float, rng: Generator) -> tuple[Picture, Depth]:
    """A background and its inverse depth (1 nearest, 0 sky); `horizon` is a fraction of the height."""
    background = BACKGROUNDS[name]
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    top, bottom = background.sky
    sky = _mix(top, bottom, np.broadcast_to(np.clip(grid[:, None] / horizon, 0, 1), (size, size)))
    picture = sky.astype(np.float32)
    depth = np.zeros((size, size), dtype=np.float32)
    background.paint(Canvas(picture, depth, horizon, grid[:, None], grid[None, :], rng))
    return picture, depth


def look_aside(view: Float[ndarray, "h w *c"], columns: float) -> Float[ndarray, "h w *c"]:
    """What a camera sees that has turned by so many columns to the right (none of it is lost in between).

    Beyond a side of the picture stands its mirror image, so that the view has no seam and no end.
    """
    width, whole = view.shape[1], int(np.floor(columns))
    where = np.arange(whole, whole + width + 1) % (2 * width)
    seen = view[:, np.minimum(where, 2 * width - 1 - where)]
    part = np.float32(columns - whole)
    return (1 - part) * seen[:, :-1] + part * seen[:, 1:] if part else seen[:, :-1].copy()
