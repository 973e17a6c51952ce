"""Render the sprite atlas from an open emoji font (Noto Color Emoji, SIL Open Font License 1.1)."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from giftune.emojiworld.sprites import SPRITE_SIZE, SUBJECTS

BITMAP_SIZE = 109  # the only size at which the font's bitmaps exist


def render_sprites(font_path: Path, target: Path) -> None:
    """Write one PNG: a column of `SPRITE_SIZE` squares, each sprite cropped to its ink and centred."""
    font = ImageFont.truetype(str(font_path), BITMAP_SIZE)
    sheet = Image.new("RGBA", (SPRITE_SIZE, SPRITE_SIZE * len(SUBJECTS)))
    for row, emoji in enumerate(SUBJECTS.values()):
        glyph = Image.new("RGBA", (160, 160))
        ImageDraw.Draw(glyph).text((8, 8), emoji, font=font, embedded_color=True)
        ink = glyph.crop(glyph.getbbox())
        ink.thumbnail((SPRITE_SIZE - 4, SPRITE_SIZE - 4), Image.Resampling.LANCZOS)
        left, top = (SPRITE_SIZE - ink.width) // 2, (SPRITE_SIZE - ink.height) // 2
        sheet.paste(ink, (left, top + row * SPRITE_SIZE))
    sheet.save(target, optimize=True)
