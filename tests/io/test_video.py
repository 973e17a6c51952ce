import sys
from pathlib import Path

import av
import numpy as np
import pytest

from giftune.clip import Selection
from giftune.errors import InputError
from giftune.io.limits import Limits
from giftune.io.video import read_video, with_decord, with_pyav
from giftune.io.video_header import video_header
from tests.videos import pictures, write


@pytest.fixture(params=["decord", "av"])
def reader(request, monkeypatch) -> str:
    """Both readers in turn: decord as installed, and PyAV as where decord is missing."""
    if request.param == "decord":
        pytest.importorskip("decord")
    else:
        monkeypatch.setitem(sys.modules, "decord", None)
    return request.param


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "mpeg4"), ("a.webm", "libvpx")])
def test_frames_come_in_order(tmp_path: Path, reader: str, name: str, codec: str) -> None:
    clip = read_video(write(tmp_path / name, pictures(20), codec=codec))
    assert np.abs(clip.pixels().astype(int) - pictures(20)).mean() < 3
    assert clip.durations_ms == (40,) * 20 and (clip.loop, clip.name) == (0, "a")


@pytest.mark.parametrize(
    "selection", [Selection(3, 5, 4), Selection(4, 0, None), Selection(1, 19), Selection(None, 2, 7)]
)
def test_only_the_wanted_frames_are_read(tmp_path: Path, reader: str, selection: Selection) -> None:
    path = write(tmp_path / "a.mp4", pictures(20), codec="libx264", g="5", bf="2")
    wanted = list(selection.indices(20, "a"))
    clip = read_video(path, selection=selection)
    assert np.array_equal(clip.pixels(), read_video(path).pixels()[wanted])
    assert clip.durations_ms == selection.durations((40,) * 20, wanted)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_pictures_are_upright(tmp_path: Path, reader: str, rotation: int) -> None:
    clip = read_video(write(tmp_path / "a.mp4", pictures(3), rotation=rotation))
    upright = np.rot90(pictures(3), rotation // 90, axes=(1, 2))
    assert np.abs(clip.pixels().astype(int) - upright).mean() < 3


def test_the_times_of_skipped_frames_are_added(tmp_path: Path, reader: str) -> None:
    path = write(tmp_path / "a.mp4", pictures(6), [0, 40, 200, 240, 500, 540])
    assert read_video(path, selection=Selection(2, 0, 2)).durations_ms == (200, 300)


def test_limits_and_counts_are_checked_first(tmp_path: Path, reader: str) -> None:
    path = write(tmp_path / "a.mp4", pictures(6))
    with pytest.raises(InputError, match="max_frames is 5"):
        read_video(path, Limits(max_frames=5))
    with pytest.raises(InputError, match="18432 pixels in all: max_pixels is 18431"):
        read_video(path, Limits(max_pixels=6 * 64 * 48 - 1))
    assert len(read_video(path, Limits(max_frames=5), Selection(5))) == 5
    with pytest.raises(InputError, match=r"num_frames=24 .*needs 24 frames, but path .*a\.mp4 has 6"):
        read_video(path, selection=Selection(24))


def test_frames_hidden_by_an_edit_list_are_not_read(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", pictures(40), codec="libx264", g="40")
    with av.open(str(source)) as inside, av.open(str(tmp_path / "b.mp4"), "w") as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        for packet in inside.demux(video=0):
            if packet.dts is not None:
                # Frames before time zero are needed to decode the first one shown.
                packet.pts, packet.dts = packet.pts - 10 * packet.duration, packet.dts - 10 * packet.duration
                packet.stream = stream
                outside.mux(packet)
    with av.open(str(tmp_path / "b.mp4")) as container:
        shown = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert len(shown) == 30
    assert np.array_equal(read_video(tmp_path / "b.mp4").pixels(), shown)


@pytest.mark.parametrize("name", ["car-turn", "man-skiing", "man-surfing", "rabbit-watermelon"])
def test_real_videos_equal_a_plain_decode(shared_folder: Path, name: str) -> None:
    path = shared_folder / "videos" / f"{name}.mp4"
    header, wanted = video_header(path, Limits()), (0, 7, 31, 60)
    with av.open(str(path)) as container:
        plain = [frame for k, frame in enumerate(container.decode(video=0)) if k in wanted]
        rate = container.streams.video[0].average_rate
    expected = np.stack([frame.to_ndarray(format="rgb24") for frame in plain])
    assert np.array_equal(with_pyav(path, header, wanted), expected)
    assert abs(sum(header.durations_ms) - 1000 * len(header.ticks) / rate) <= 1
    pytest.importorskip("decord")
    assert np.array_equal(with_decord(path, header, wanted), expected)
