import pytest
from numpy import dot
from numpy.linalg import norm

from giftune.errors import InputError
from giftune.metrics.directional_similarity import DirectionalSimilarity

PROMPTS = {"source_prompt": "a bad cat", "prompt": "a big cage"}


def test_frame_by_frame(projector, noise):
    source, edited = noise(3), noise(3)
    before, after = (projector.texts([PROMPTS[name]])[0].numpy() for name in ("source_prompt", "prompt"))
    cosines = []
    for a, b in zip(projector.images(source).numpy(), projector.images(edited).numpy(), strict=True):
        cosines.append(dot(b - a, after - before) / norm(b - a) / norm(after - before))
    metric = DirectionalSimilarity(projector)
    assert float(metric(source=source, edited=edited, **PROMPTS)) == pytest.approx(sum(cosines) / 3, abs=1e-5)


def test_nothing_changed_is_zero(projector, noise):
    frames = noise(3)
    assert DirectionalSimilarity(projector)(source=frames, edited=frames.clone(), **PROMPTS) == 0


def test_clips_must_match(projector, noise):
    metric = DirectionalSimilarity(projector)
    with pytest.raises(InputError, match="source has 3 frames and edited 4"):
        metric(source=noise(3), edited=noise(4), **PROMPTS)
    with pytest.raises(InputError, match="source is 40 x 24 and edited 40 x 30 pixels"):
        metric(source=noise(3), edited=noise(3, 30), **PROMPTS)
