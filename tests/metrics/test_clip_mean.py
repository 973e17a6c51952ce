import torch

from giftune.metrics.clip_mean import ClipMean


class Length(ClipMean):
    higher_is_better = True

    def update(self, edited):
        self.record(torch.tensor(float(len(edited))))


def test_every_clip_has_the_same_weight():
    metric = Length()
    assert [metric(torch.zeros(n)) for n in (1, 2, 6)] == [1, 2, 6]
    assert metric.compute() == 3
    metric.reset()
    metric.update(torch.zeros(4))
    assert metric.compute() == 4
