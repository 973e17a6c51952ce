import re

import pytest

from giftune.errors import InputError
from giftune.io.names import slug

PROMPTS = [
    "a cat, on the beach",
    "a cat on the beach",
    "A cat on the beach",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "say \"hello\" & 'bye' $(rm)",
    "🐰🍉",
    "🐱",
    "猫が泳ぐ",
    "",
    ".hidden",
    "con",
    "-rf",
    "Käse über Öl",
    " ".join(["word"] * 300),
    " ".join(["word"] * 301),
    "x" * 300,
    "line\nbreak\x00nul",
    "broken \ud800 surrogate",
]


@pytest.mark.parametrize("max_length", [8, 9, 10, 20, 60])
def test_names_are_safe_short_and_different(max_length: int) -> None:
    names = [slug(text, max_length) for text in PROMPTS]
    assert len(set(names)) == len(PROMPTS)
    for name in names:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) and 8 <= len(name) <= max_length


def test_names_are_readable_and_stable() -> None:
    # `printf 'a cat on the beach' | sha256sum` gives the digits.
    assert slug("a cat on the beach") == "a-cat-on-the-beach-8a574775"
    assert slug("Käse über Öl").startswith("kase-uber-ol-")
    assert re.fullmatch(r"(word-){10}[0-9a-f]{8}", slug(" ".join(["word"] * 300)))


def test_no_room_for_the_hash_is_refused() -> None:
    with pytest.raises(InputError, match="max_length=7"):
        slug("a", 7)
