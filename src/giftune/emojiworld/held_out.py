"""Pairs that the shipped text-to-image model never saw, to measure composition."""

SUBJECT_BACKGROUND = frozenset(
    {
        ("rabbit", "moon"),
        ("fox", "snow"),
        ("panda", "beach"),
        ("frog", "city"),
        ("pig", "ocean"),
        ("penguin", "desert"),
        ("chick", "forest"),
        ("koala", "grass"),
        ("lion", "snow"),
        ("robot", "forest"),
        ("car", "moon"),
        ("turtle", "city"),
    }
)
SUBJECT_STYLE = frozenset(
    {
        ("panda", "pixel art"),
        ("octopus", "pixel art"),
        ("rabbit", "sketch"),
        ("unicorn", "sketch"),
        ("bear", "sunset"),
        ("frog", "sunset"),
    }
)


def is_held_out(subject: str, background: str, style: str) -> bool:
    return (subject, background) in SUBJECT_BACKGROUND or (subject, style) in SUBJECT_STYLE
