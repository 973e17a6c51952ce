import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.frames import write_frames
from giftune.io.gif import write_gif
from giftune.io.limits import Limits
from giftune.io.read import ClipInfo, probe, read_clip
from tests.gif_files import solid, write
from tests.videos import pictures
from tests.videos import write as write_video


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Path]:
    """The same six frames in every form, under names that say nothing."""
    clip = Clip.from_pixels(pictures(6), (40,) * 6)
    paths = {kind: tmp_path / f"{kind}.bin" for kind in ("gif", "webp", "folder")}
    write_gif(clip, paths["gif"], "best")
    write_frames(clip, paths["folder"])
    images = [Image.fromarray(picture) for picture in pictures(6)]
    images[0].save(
        paths["webp"], "webp", save_all=True, append_images=images[1:], duration=40, loop=0, lossless=True
    )
    for kind, codec in (("mp4", "mpeg4"), ("webm", "libvpx")):
        written = write_video(tmp_path / f"a.{kind}", pictures(6), codec=codec)
        paths[kind] = written.rename(tmp_path / f"{kind}.bin")
    return paths


@pytest.mark.parametrize("kind", ["gif", "webp", "folder", "mp4", "webm"])
def test_every_form_is_read_by_its_content(clips: dict[str, Path], kind: str) -> None:
    info = probe(clips[kind])
    duration = 750 if kind == "folder" else 240
    assert info == ClipInfo(64, 48, num_frames=6, duration_ms=duration, loop=0, format=kind)
    clip = read_clip(str(clips[kind]), fps=25)
    assert clip.durations_ms == (40,) * 6 and np.abs(clip.pixels().astype(int) - pictures(6)).mean() < 4
    part = read_clip(clips[kind], num_frames=2, start=1, stride=2, fps=25)
    assert np.array_equal(part.pixels(), clip.pixels()[1:5:2]) and part.durations_ms == (80, 80)
    spread = read_clip(clips[kind], num_frames=3, stride=None, fps=25)
    assert np.array_equal(spread.pixels(), clip.pixels()[::2]) and sum(spread.durations_ms) == 240
    with pytest.raises(InputError, match=r"num_frames=7 .*needs 7 frames, but .* has 6"):
        read_clip(clips[kind], num_frames=7)


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    for use in (read_clip, probe):
        with pytest.raises(InputError, match="absent does not exist"):
            use(tmp_path / "absent")
        with pytest.raises(InputError, match="holds no pictures"):
            use(tmp_path)


def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    start = write(tmp_path / "long.gif", 500, 500, [solid(500, 500)]).read_bytes()[:-1]
    for name, frames in (("long.gif", 10_000), ("large.gif", 150)):
        (tmp_path / name).write_bytes(start + solid(1, 1, 1).blocks() * (frames - 1) + b";")
    write(tmp_path / "wide.gif", 20000, 1, [solid(1, 1)])
    patch = bytearray(write(tmp_path / "patch.gif", 2, 2, [solid(2, 2)]).read_bytes())
    at = patch.index(b"\x2c") + 5
    patch[at : at + 4] = struct.pack("<HH", 60000, 60000)
    (tmp_path / "patch.gif").write_bytes(patch)
    limits = {"long": "max_frames", "large": "max_pixels", "wide": "max_side", "patch": "max_side"}
    tracemalloc.start()
    for name, limit in limits.items():
        with pytest.raises(InputError, match=rf"{name}\.gif .*{limit} is"):
            read_clip(tmp_path / f"{name}.gif", limits=Limits(max_frames=150, max_pixels=2**25))
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert len(read_clip(tmp_path / "large.gif", num_frames=3)) == 3
