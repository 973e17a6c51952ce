from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from giftune.emojiworld.pretrain.sprites import render_sprites
from giftune.emojiworld.sprites import SPRITE_SIZE, SUBJECTS, atlas

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")


@pytest.mark.skipif(not FONT.exists(), reason="needs the package fonts-noto-color-emoji")
def test_the_font_gives_the_shipped_atlas(tmp_path: Path) -> None:
    render_sprites(FONT, tmp_path / "sprites.png")
    drawn = np.asarray(Image.open(tmp_path / "sprites.png").convert("RGBA")).astype(int)
    shipped = atlas().reshape(len(SUBJECTS) * SPRITE_SIZE, SPRITE_SIZE, 4)
    assert np.abs(drawn - shipped).mean() < 2.0
