import pytest

from giftune.metrics.textual_faithfulness import TextualFaithfulness


def test_frame_by_frame(projector, noise):
    frames, prompt = noise(4), "a bad cat"
    vectors, text = projector.images(frames, "square"), projector.texts([prompt])[0]
    expected = sum(100 * float((vector * text).sum()) for vector in vectors) / 4
    metric = TextualFaithfulness(projector)
    assert float(metric(edited=frames, prompt=prompt)) == pytest.approx(expected, abs=1e-4)
    assert metric.backbone == "projector"
