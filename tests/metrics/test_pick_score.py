import pytest

from giftune.metrics.pick_score import PickScore


def test_the_logit_scale_of_the_network_counts(projector, noise):
    frames, prompt = noise(4), "a bad cat"
    vectors, text = projector.images(frames, "square"), projector.texts([prompt])[0]
    expected = sum(7 * float((vector * text).sum()) for vector in vectors) / 4
    assert float(PickScore(projector)(edited=frames, prompt=prompt)) == pytest.approx(expected, abs=1e-5)
