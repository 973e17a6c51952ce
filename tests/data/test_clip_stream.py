from collections import Counter
from itertools import chain, islice

import pytest
import torch

from giftune.clip import Clip
from giftune.data.clip_source import Skip, Unusable
from giftune.data.clip_stream import ClipStream
from giftune.errors import InputError
from giftune.methods.base import Example

CLIP = Clip(torch.zeros(2, 3, 4, 4), (40, 40))


class Numbers:
    """Clips called after their numbers; the caption is what was drawn for reading."""

    digest, left_out = "", ()

    def __init__(self, count, bad=()):
        self.count, self.bad, self.asked = count, set(bad), Counter()

    def read(self, number, generator):
        self.asked[number] += 1
        if number in self.bad:
            raise Unusable(Skip(f"{number}.gif", "broken", f"{number}.gif is broken."))
        return Example(CLIP, str(torch.rand((), generator=generator).item()), str(number))


def names(stream, start, stop):
    return [int(example.name) for example in islice(stream, start, stop)]


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_an_epoch_of_all_ranks_has_every_clip_once(ranks):
    streams = [ClipStream(Numbers(10), 7, rank, ranks) for rank in range(ranks)]
    for epoch in range(3):
        each = 10 // ranks
        shares = [names(stream, epoch * each, (epoch + 1) * each) for stream in streams]
        assert sorted(chain(*shares)) == list(range(10))


def test_ranks_that_do_not_divide_the_clips_go_on_alike():
    streams = [ClipStream(Numbers(7), 7, rank, 3) for rank in range(3)]
    together = chain.from_iterable(names(stream, 0, 7) for stream in streams)
    assert Counter(together) == Counter(list(range(7)) * 3)  # three whole epochs


def test_two_ranks_see_what_one_sees_with_twice_the_batch():
    both = [ClipStream(Numbers(9, bad={4}), 7, rank, 2) for rank in (0, 1)]
    alone = ClipStream(Numbers(9, bad={4}), 7)
    for step in range(8):
        parts = [[example[1:] for example in islice(stream, 2 * step, 2 * step + 2)] for stream in both]
        assert sorted(chain(*parts)) == sorted(ex[1:] for ex in islice(alone, 4 * step, 4 * step + 4))


def test_epochs_and_seeds_have_orders_of_their_own():
    stream = ClipStream(Numbers(50), 7)
    first, second = names(stream, 0, 50), names(stream, 50, 100)
    assert first != second and first != sorted(first) and sorted(first) == sorted(second)
    assert names(ClipStream(Numbers(50), 8), 0, 50) != first


def test_it_goes_on_from_any_place_with_the_same_draws():
    whole = list(islice(ClipStream(Numbers(6), 7, 1, 2), 20))
    resumed = ClipStream(Numbers(6), 7, 1, 2)
    assert [resumed[k][1:] for k in range(13, 20)] == [example[1:] for example in whole[13:]]
    assert len({example.caption for example in whole}) == 20  # another place of the clip each time


def test_useless_clips_are_replaced_listed_and_read_once():
    source = Numbers(10, bad={2, 5, 9})
    stream = ClipStream(source, 7)
    found = names(stream, 0, 50)
    assert set(found) == set(range(10)) - {2, 5, 9} and len(found) == 50
    assert {skip.clip for skip in stream.skipped.values()} == {"2.gif", "5.gif", "9.gif"}
    assert [source.asked[bad] for bad in (2, 5, 9)] == [1, 1, 1]


def test_one_usable_clip_is_enough_and_none_is_an_error():
    assert names(ClipStream(Numbers(20, bad=set(range(20)) - {11}), 7, 1, 2), 0, 4) == [11] * 4
    source = Numbers(20, bad=range(20))
    with pytest.raises(InputError, match=r"none of the 20 clips can be used; the first: \d+\.gif is broken"):
        ClipStream(source, 7)[0]
    assert source.asked.total() == 20


def test_without_end_every_number_comes_once():
    streams = [ClipStream(Numbers(None), 7, rank, 3) for rank in range(3)]
    assert sorted(chain.from_iterable(names(stream, 0, 40) for stream in streams)) == list(range(120))
