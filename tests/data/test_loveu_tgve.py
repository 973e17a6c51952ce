import csv

import pytest
from PIL import Image

from giftune.cli._build import build
from giftune.data.loveu_tgve import EDITS, TABLE, LoveuTgve, read_table
from giftune.errors import InputError
from tests.test_configs import compose

COLUMNS = ["Video name", "Our GT caption", "Style Change Caption", "Object Change Caption",
           "Background Change Caption", "Multiple Changes Caption"]  # fmt: skip
# as the published table: a heading, its videos, an empty row
ROWS = [
    ["DAVIS Videos:", "", "", "", "", ""],
    [
        "gold-fish",
        "Fish swim in a tank. ",
        "Fish swim, style",
        "Sharks swim",
        "Fish in a pond",
        "Koi in a pond",
    ],
    ["", "", "", "", "", ""],
    ["Youtube Videos:", "", "", "", "", ""],
    ["eating-pizza", "A man eats pizza, alone.", "style", "object", "background", "multiple"],
]


def write_table(root, rows, columns=COLUMNS, encoding="utf-8"):
    with (root / TABLE).open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def root(tmp_path):
    write_table(tmp_path, ROWS)
    for folder, count in (
        ("DAVIS_480p/480p_frames/gold-fish", 3),
        ("youtube_480p/480p_frames/eating-pizza", 5),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (48, 48), (50 * index, 0, 0)).save(tmp_path / folder / f"{index:05d}.jpg")
    return tmp_path


def test_every_video_of_every_subset_with_its_four_edits(root):
    config = compose("backbone=sd15", "data=loveu_tgve", f"data.path={root}")["data"]
    fish, pizza = build(config, "data")
    assert (fish.clip.name, pizza.clip.name) == ("gold-fish", "eating-pizza")
    assert fish.source_prompt == "Fish swim in a tank." and pizza.source_prompt == "A man eats pizza, alone."
    assert fish.prompts == ("Fish swim, style", "Sharks swim", "Fish in a pond", "Koi in a pond")
    assert tuple(fish.types.items()) == tuple(
        zip(fish.prompts, ("style", "object", "background", "multiple"), strict=True)
    )
    assert fish.clip.frames.shape == (3, 3, 480, 480) and len(pizza.clip) == 5 and fish.mask is None
    (only,) = build(config | {"clip": "eating-pizza", "size": 32}, "data")
    assert only.clip.frames.shape == (5, 3, 32, 32)


def test_a_video_that_is_not_there(root):
    write_table(root, [*ROWS, ["swans", "Swans.", "a", "b", "c", "d"]])
    with pytest.warns(UserWarning, match=r"1 of 3 clips are left out: path .* has no \*/480p_frames/swans"):
        assert len(LoveuTgve(root, size=32)) == 2


def test_columns_in_any_order_with_others_among_them(root):
    rows = [["x", *reversed(row)] for row in ROWS]
    expected = read_table(root / TABLE)
    write_table(root, rows, ["Notes", *(f" {column} " for column in reversed(COLUMNS))], encoding="utf-8-sig")
    assert read_table(root / TABLE) == expected and len(expected) == 2


def test_the_types_are_those_of_all_sheets():
    assert list(EDITS.values()) == ["style", "object", "background", "multiple"]


def test_refuses_other_columns_with_what_was_found_and_what_is_needed(root):
    write_table(root, ROWS, ["Video name", "Caption", *COLUMNS[2:]])
    with pytest.raises(InputError) as refusal:
        LoveuTgve(root)
    assert str(refusal.value) == (
        f"path {root / TABLE} has no column Our GT caption: its columns are Video name, Caption, "
        f"{', '.join(COLUMNS[2:])}, needed are {', '.join(COLUMNS)}."
    )
    (root / TABLE).write_text("")
    with pytest.raises(InputError, match="its columns are none, needed are Video name"):
        LoveuTgve(root)


def test_refuses_in_one_sentence(root, tmp_path_factory):
    write_table(root, [["swans", "Swans.", "a", "", "c", "d"]])
    with pytest.raises(InputError, match="has no prompt in edit 2 of swans"):
        LoveuTgve(root)
    write_table(root, [["swans", "Swans.", "a", "b"]])
    with pytest.raises(InputError, match="has no prompt in edit 3 of swans"):
        LoveuTgve(root)
    with pytest.raises(InputError, match=f"{TABLE} cannot be read"):
        LoveuTgve(tmp_path_factory.mktemp("empty"))
    (root / TABLE).write_bytes(b"Video name\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        LoveuTgve(root)
    write_table(root, ROWS[:1])
    with pytest.raises(InputError, match="has no videos"):
        LoveuTgve(root)
