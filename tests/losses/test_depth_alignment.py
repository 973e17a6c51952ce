import numpy as np
import pytest
import torch

from giftune.losses.depth_alignment import align, gradient_error, squared_error


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    prediction, target, weight = torch.rand(3, 2, 3, 9, 14, generator=generator, dtype=torch.float64)
    prediction = prediction + 0.5 * target  # so that the best scale is positive
    return prediction, target, weight * (weight > 0.4)


def test_aligns_each_frame_as_numpys_least_squares(maps):
    aligned = align(*maps)
    for b in range(2):
        for f in range(3):
            prediction, target, weight = (x[b, f].numpy().ravel() for x in maps)
            columns = np.stack([prediction, np.ones_like(prediction)], axis=1)
            root = np.sqrt(weight)
            (scale, shift), *_ = np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)
            np.testing.assert_allclose(aligned[b, f].numpy().ravel(), scale * prediction + shift, rtol=1e-9)


def test_an_affine_copy_is_undone_and_its_negative_is_not(maps):
    _, target, weight = maps
    torch.testing.assert_close(align(7 * target - 3, target, weight), target)
    inside_out = align(-target, target, weight)
    mean = (weight * target).sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True)
    torch.testing.assert_close(inside_out, mean.expand_as(target))


def test_flat_and_empty_maps_stay_finite_with_their_gradients(maps):
    _, target, weight = maps
    for prediction, seen in ((torch.full_like(target, 3.0), weight), (target * 2, weight * 0)):
        prediction = prediction.requires_grad_()
        residual = align(prediction, target, seen) - target
        (squared_error(residual, seen) + gradient_error(residual, seen, 2)).sum().backward()
        assert residual.isfinite().all() and prediction.grad.isfinite().all()


def test_squared_error_is_a_weighted_mean(maps):
    residual, _, weight = maps
    for b in range(2):
        expected = np.average(residual[b].numpy() ** 2, weights=weight[b].numpy())
        assert squared_error(residual, weight)[b].item() == pytest.approx(expected)


def test_gradient_error_pixel_by_pixel(maps):
    residual, _, weight = maps
    expected = torch.zeros(2, dtype=torch.float64)
    for b in range(2):
        for step in (1, 2, 4):
            above = below = 0.0
            for f in range(3):
                for y in range(0, 9, step):
                    for x in range(0, 14, step):
                        here, seen = residual[b, f, y, x], weight[b, f, y, x]
                        below += seen
                        if x + step < 14:
                            there = residual[b, f, y, x + step]
                            above += abs(there - here) * seen * weight[b, f, y, x + step]
                        if y + step < 9:
                            there = residual[b, f, y + step, x]
                            above += abs(there - here) * seen * weight[b, f, y + step, x]
            expected[b] += above / below
    torch.testing.assert_close(gradient_error(residual, weight, num_scales=3), expected)


def test_what_has_no_weight_does_not_count(maps):
    prediction, target, weight = maps
    disturbed = torch.where(weight > 0, prediction, 100.0)
    residuals = [align(p, target, weight) - target for p in (prediction, disturbed)]
    for error in (squared_error, lambda r, w: gradient_error(r, w, 3)):
        torch.testing.assert_close(error(residuals[0], weight), error(residuals[1], weight))
