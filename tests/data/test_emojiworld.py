import pytest

from giftune.data.emojiworld import EmojiWorld
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError


def test_the_task_is_the_world_s_clip_with_its_caption():
    (task,) = EmojiWorld("fox", "snow", "plain", "jump", num_frames=4, size=32, seed=5, prompts=["a panda"])
    world = make_clip("fox", "snow", "plain", "jump", num_frames=4, seed=5, size=32)
    assert task.clip.content_hash() == world.clip.content_hash()
    assert task.source_prompt == world.caption and task.prompts == ("a panda",)
    assert task.mask.equal(world.mask)
    assert task.restore(task.clip) is task.clip is task.frame(task.clip) and task.source is None
    assert all(task.truth[name].equal(getattr(world, name)) for name in ("flow", "centres", "depth"))
    assert task.asked(world.caption) == {"subject": "fox", "background": "snow", "style": "plain"}
    assert task.asked("a quasar") is None


def test_refuses_what_the_world_has_not():
    with pytest.raises(InputError, match="quasar"):
        EmojiWorld("quasar", "snow", "plain", "jump", num_frames=4, size=32)
