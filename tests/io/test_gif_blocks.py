from pathlib import Path

import pytest

from giftune.errors import InputError
from giftune.io.gif_blocks import gif_header, walk
from giftune.io.limits import Limits
from tests.gif_files import draw, solid, write

PATH = Path("a.gif")


def content(folder: Path) -> bytes:
    parts = [solid(8, 8, disposal=2), solid(3, 4, 1, left=2, top=1, transparent=3, duration=70)]
    return write(folder / "a.gif", 8, 8, parts, loop=7).read_bytes()


def test_every_block_is_found(tmp_path: Path) -> None:
    blocks = walk(content(tmp_path), PATH, Limits())
    assert (blocks.width, blocks.height, blocks.loop, len(blocks.patches)) == (8, 8, 7, 2)
    first, second = blocks.patches
    assert (first.disposal, first.transparent) == (2, None)
    assert (second.left, second.top, second.width, second.height) == (2, 1, 3, 4)
    assert (second.disposal, second.transparent, second.duration_ms) == (0, 3, 70)


@pytest.mark.parametrize("seed", range(3))
def test_every_cut_is_noticed_unless_whole_frames_are_left(tmp_path: Path, seed: int) -> None:
    width, height, parts = draw(seed)
    whole = write(tmp_path / "a.gif", width, height, parts).read_bytes()
    ends = {len(whole) - 1 - sum(len(part.blocks()) for part in parts[k:]) for k in range(1, len(parts) + 1)}
    for cut in range(6, len(whole)):
        if cut in ends:
            walk(whole[:cut], PATH, Limits())
            continue
        with pytest.raises(InputError, match=r"truncated|without any image"):
            walk(whole[:cut], PATH, Limits())


def test_comments_padding_other_extensions_and_what_follows_the_end_do_not_matter(tmp_path: Path) -> None:
    plain = content(tmp_path)
    at = plain.index(b"\x21\xf9")
    extra = (
        b"\x21\xfe\x05hello\x00" + b"\x00\x00" + b"\x21\xff\x0bXMP DataXMP\x02ab\x00" + b"\x21\x01\x01x\x00"
    )
    again = walk(plain[:at] + extra + plain[at:] + b"rubbish,;!", PATH, Limits())
    assert again.loop == 7 and again.durations_ms == walk(plain, PATH, Limits()).durations_ms


def test_the_other_loop_extension_counts_too(tmp_path: Path) -> None:
    renamed = content(tmp_path).replace(b"NETSCAPE2.0", b"ANIMEXTS1.0")
    assert walk(renamed, PATH, Limits()).loop == 7


def test_damage_is_refused(tmp_path: Path) -> None:
    plain = content(tmp_path)
    at = plain.index(b"\x21\xf9")
    with pytest.raises(InputError, match=rf"byte {at} starts no GIF block"):
        walk(plain[:at] + b"\x99" + plain[at:], PATH, Limits())
    with pytest.raises(InputError, match="image of 0 x 0"):
        walk(plain.replace(b"\x2c\x00\x00\x00\x00\x08\x00\x08\x00", b"\x2c" + bytes(8)), PATH, Limits())
    with pytest.raises(InputError, match="max_frames is 1"):
        walk(plain, PATH, Limits(max_frames=1))
    with pytest.raises(InputError, match="max_side is 7"):
        walk(plain, PATH, Limits(max_side=7))


def test_the_header_says_what_a_browser_shows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", 5, 4, [solid(5, 4, duration=d) for d in (0, 10, 20, 500)], None)
    header = gif_header(path)
    assert (header.width, header.height, header.loop, header.format) == (5, 4, None, "gif")
    assert header.durations_ms == (100, 100, 20, 500)
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"a\.gif is not a GIF"):
        gif_header(path)
