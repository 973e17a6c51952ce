"""File names made from prompts."""

import hashlib
import re
import unicodedata

from giftune.errors import InputError

_HASH_LENGTH = 8


def slug(text: str, max_length: int = 60) -> str:
    """Readable ASCII of a text, then 8 hex digits of its SHA-256: safe, never hidden, one name per text."""
    if max_length < _HASH_LENGTH:
        raise InputError(f"max_length={max_length} is too small: it must be at least {_HASH_LENGTH}")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")
    room = max_length - _HASH_LENGTH - 1
    if room > 0 and len(words) > room:
        # Cut between words where that keeps at least half of the room.
        cut = words[: room + 1].rfind("-")
        words = words[: cut if cut > room // 2 else room].strip("-")
    return f"{words}-{digest}" if words and room > 0 else digest
