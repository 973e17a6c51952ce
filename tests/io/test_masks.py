import numpy as np
import pytest
from PIL import Image

from giftune.errors import InputError
from giftune.io.masks import read_masks, write_masks

NUMBERS = np.random.default_rng(0).integers(0, 4, (3, 5, 7)).astype(np.uint8)


def test_what_is_written_is_read_again_and_is_a_picture_with_a_palette(tmp_path):
    write_masks(NUMBERS, tmp_path / "bear")
    np.testing.assert_array_equal(read_masks(tmp_path / "bear", ["00000", "00001", "00002"]), NUMBERS)
    np.testing.assert_array_equal(read_masks(tmp_path / "bear", ["00002"]), NUMBERS[2:])
    with Image.open(tmp_path / "bear" / "00001.png") as image:
        assert image.mode == "P"
        colours = np.asarray(image.convert("RGB"))
    # DAVIS's colours of 1, 2 and 3
    for number, colour in enumerate([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]):
        assert (colours[NUMBERS[1] == number] == colour).all()


@pytest.mark.parametrize("mode", ["L", "1"])
def test_masks_that_say_only_yes_and_no(tmp_path, mode):
    yes = NUMBERS[0] > 1
    Image.fromarray(yes).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_masks(tmp_path, ["a"])[0] > 0, yes)


def test_a_palette_of_any_colours_is_read_by_its_numbers(tmp_path):
    picture = Image.fromarray(NUMBERS[0]).convert("P")
    picture.putpalette([9, 9, 9] * 4)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_masks(tmp_path, ["a"])[0], NUMBERS[0])


def test_refuses_in_one_sentence(tmp_path):
    write_masks(NUMBERS, tmp_path)
    Image.new("RGB", (7, 5)).save(tmp_path / "colours.png")
    Image.new("P", (6, 5)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "00000.png").read_bytes()[:60])
    for name, sentence in (
        ("absent", r"absent\.png does not exist"),
        ("colours", r"colours\.png is no mask: it must have a palette or grey values"),
        ("small", r"small\.png is 6 x 5, but the first mask is 7 x 5"),
        ("broken", r"broken\.png is damaged"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_masks(tmp_path, ["00000", name])
