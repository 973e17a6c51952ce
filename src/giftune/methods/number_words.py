"""Whole numbers in words, which text encoders tell apart better than digits (Pix2Gif, section 3.2)."""

from giftune.errors import InputError

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
LAST = 1023  # the last row of the motion embedding


def in_words(number: int) -> str:
    """English, with a hyphen below a hundred and an "and" above; raises `InputError` outside 0 to 1023."""
    if not 0 <= number <= LAST:
        raise InputError(f"motion is {number}, it must be between 0 and {LAST}.")
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f"-{ONES[ones]}" if ones else "")
    unit, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    many, rest = divmod(number, unit)
    return f"{ONES[many]} {name}" + (f" and {in_words(rest)}" if rest else "")
