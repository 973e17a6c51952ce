"""Why motion is learnt from words: the embedded text encoder hardly tells verbs apart."""

import itertools

from einops import rearrange

from giftune.backbone.stable_diffusion import load_backbone
from giftune.backbone.text import embed_words, encode_prompts
from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import caption
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.sprites import SUBJECTS


def test_the_encoder_loses_verbs_that_its_words_still_have():
    backbone = load_backbone("emojiworld", device="cpu")
    scenes = list(itertools.product(list(SUBJECTS)[:12], list(BACKGROUNDS)[:4]))
    prompts = [caption(*scene, "plain", motion) for scene in scenes for motion in MOTIONS]

    def share_of_verbs(texts):
        """Of the variance between captions, what is left between those that differ in the motion alone."""
        by_motion = rearrange(texts, "(s m) n d -> s m n d", m=len(MOTIONS))
        between = (by_motion - by_motion.mean(dim=1, keepdim=True)).square().mean(dim=(0, 1)).sum()
        return float(between / texts.var(dim=0, correction=0).sum())

    encoded = encode_prompts(backbone.tokenizer, backbone.text_encoder, prompts)
    words = embed_words(backbone.tokenizer, backbone.text_encoder, prompts)
    assert share_of_verbs(encoded) < 0.01  # 0.008
    assert share_of_verbs(words) > 0.5  # 0.55
