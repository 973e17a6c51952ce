from pathlib import Path

import pytest

from giftune.errors import InputError
from giftune.io.limits import Limits

LIMITS = Limits(max_bytes=100, max_frames=10, max_side=20, max_pixels=1000)


def test_everything_up_to_the_limits_passes() -> None:
    LIMITS.check(Path("a"), width=20, height=5, num_frames=10)
    LIMITS.check_bytes(Path("a"), 100)


@pytest.mark.parametrize(
    ("width", "height", "num_frames", "named"),
    [
        (21, 1, 1, "21 x 1: max_side is 20"),
        (1, 21, 1, "1 x 21: max_side is 20"),
        (1, 1, 11, "11 frames or more: max_frames is 10"),
        (20, 20, 3, "3 frames of 20 x 20, 1200 pixels in all: max_pixels is 1000"),
    ],
)
def test_the_limit_is_named(width: int, height: int, num_frames: int, named: str) -> None:
    with pytest.raises(InputError, match=rf"path clip\.gif .*{named}"):
        LIMITS.check(Path("clip.gif"), width=width, height=height, num_frames=num_frames)
    with pytest.raises(InputError, match="101 bytes: max_bytes is 100"):
        LIMITS.check_bytes(Path("clip.gif"), 101)


@pytest.mark.parametrize(
    ("width", "height", "num_frames"), [(9, 9, 10_000), (20_000, 9, 1), (500, 500, 2000)]
)
def test_known_bombs_are_beyond_the_defaults(width: int, height: int, num_frames: int) -> None:
    with pytest.raises(InputError, match="max_"):
        Limits().check(Path("a"), width=width, height=height, num_frames=num_frames)
    Limits().check(Path("a"), width=1920, height=1080, num_frames=64)
