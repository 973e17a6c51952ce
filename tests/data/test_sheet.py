from collections import Counter

import pytest

from giftune.data.sheet import SHIPPED, TYPES, Edit, Entry, read_sheet, write_sheet
from giftune.errors import InputError

SHEET = """
clips:
  cat:
    caption: " a cat is running "
    edits:
      - {type: object, prompt: "a dog is running"}
      - {type: style, prompt: "a cat is running, sketch"}
  7: {caption: a seven}
"""


def written(tmp_path, text):
    path = tmp_path / "prompts.yaml"
    path.write_text(text)
    return path


def test_a_sheet_is_read_in_its_order(tmp_path):
    cat, seven = read_sheet(written(tmp_path, SHEET))
    assert cat.name == "cat" and cat.caption == "a cat is running"
    assert cat.prompts == ("a dog is running", "a cat is running, sketch")
    assert cat.types == {"a dog is running": "object", "a cat is running, sketch": "style"}
    assert seven == Entry("7", "a seven", ())


def test_what_is_written_is_read_again(tmp_path):
    sheet = (
        Entry("b", 'a "b": 1 {x}', (Edit("an x, y", "multiple"), Edit("null", "style"))),
        Entry("a", "yes", ()),
    )
    write_sheet(sheet, tmp_path / "prompts.yaml")
    assert read_sheet(tmp_path / "prompts.yaml") == sheet


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clips: {cat: {caption: ' '}}", "has no caption for cat, it must say what the clip shows"),
        ("clips: {cat: {edits: []}}", "has no caption for cat"),
        ("clips: {cat: {caption: a, edits: [{type: style}]}}", "has no prompt in edit 1 of cat"),
        ("clips: {cat: {caption: a, edits: [{type: style, prompt: 3}]}}", "has no prompt in edit 1 of cat"),
        (
            "clips: {cat: {caption: a, edits: [{type: colour, prompt: b}]}}",
            "has type 'colour' in edit 1 of cat, it must be one of object, background, style, multiple",
        ),
        ("clips: {cat: {caption: a, edits: [{prompt: b}]}}", "has type None in edit 1 of cat"),
        (
            "clips: {cat: {caption: a, edits: [{type: style, prompt: b}, {type: object, prompt: b}]}}",
            "asks twice for 'b' of cat",
        ),
        ("clips: {cat: {caption: a, edit: []}}", "cat has 'edit', known are caption and edits"),
        (
            "clips: {cat: {caption: a, edits: [{type: style, prompt: b, seed: 1}]}}",
            "edit 1 of cat has 'seed', known are prompt and type",
        ),
        ("clips: {cat: a cat}", "cat is 'a cat', it must have caption and edits"),
        ("clips: {cat: {caption: a, edits: [b]}}", "edit 1 of cat is 'b', it must have prompt and type"),
        ("clips: {cat: {caption: a, edits: {b: style}}}", "has edits of cat that are no list"),
        ("clips: {../cat: {caption: a}}", r"a clip '\.\./cat', a name must be that of a file or folder"),
        ("clips: {.cat: {caption: a}}", r"a clip '\.cat'"),
        ("clips: {cat: {caption: a}, cat: {caption: b}}", "cannot be read: .*duplicate key"),
        ("clips: {}", "has no clips: it must be of the form"),
        ("cat: {caption: a}", "has no clips"),
        ("- cat", "has no clips"),
        ("just words", "has no clips"),
        ("", "has no clips"),
        ("clips: {cat: [", "cannot be read"),
    ],
)
def test_refuses_in_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        read_sheet(written(tmp_path, text))
    assert "prompts.yaml" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_sheet_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.yaml does not exist; the sheets that ship .*: davis42"):
        read_sheet(tmp_path / "nothing.yaml")


def test_the_shipped_sheet_of_davis_has_42_clips_and_140_edits():
    sheet = read_sheet("davis42")
    assert SHIPPED.joinpath("davis42.yaml").is_file()
    assert len(sheet) == len({entry.name for entry in sheet}) == 42
    prompts = [edit.prompt for entry in sheet for edit in entry.edits]
    assert len(prompts) == len(set(prompts)) == 140
    assert len({entry.caption for entry in sheet} | set(prompts)) == 182
    assert Counter(edit.type for entry in sheet for edit in entry.edits) == dict.fromkeys(TYPES, 35)
    assert Counter(len(entry.edits) for entry in sheet) == {3: 28, 4: 14}
    for entry in sheet:
        assert len(set(entry.types.values())) == len(entry.edits), "of each type at most one"
        for prompt, kind in entry.types.items():
            # a style is said after the scene, and only there
            assert prompt.startswith(f"{entry.caption}, ") == (kind == "style")
            assert prompt == prompt.strip(" .") and prompt.isascii()


def test_the_clips_of_the_shipped_sheet_are_in_davis():
    """The names in the lists `train` and `val` of DAVIS-2017."""
    assert {entry.name for entry in read_sheet("davis42")} <= set(DAVIS_2017.split())


DAVIS_2017 = """
bear bmx-bumps boat boxing-fisheye breakdance-flare bus car-turn cat-girl classic-car color-run crossing
dance-jump dancing disc-jockey dog-agility dog-gooses dogs-scale drift-turn drone elephant flamingo hike
hockey horsejump-low kid-football kite-walk koala lady-running lindy-hop longboard lucia mallard-fly
mallard-water miami-surf motocross-bumps motorbike night-race paragliding planes-water rallye rhino
rollerblade schoolgirls scooter-board scooter-gray sheep skate-park snowboard soccerball stroller stunt surf
swing tennis tractor-sand train tuk-tuk upside-down varanus-cage walking bike-packing blackswan bmx-trees
breakdance camel car-roundabout car-shadow cows dance-twirl dog dogs-jump drift-chicane drift-straight goat
gold-fish horsejump-high india judo kite-surf lab-coat libby loading mbike-trick motocross-jump
paragliding-launch parkour pigs scooter-black shooting soapbox
"""
