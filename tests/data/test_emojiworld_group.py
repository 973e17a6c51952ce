import pytest

from giftune.cli._run import plain, run
from giftune.data.emojiworld_group import EmojiWorldGroup
from giftune.emojiworld.group import make_group_clip
from giftune.errors import InputError


def test_the_task_is_the_world_s_clip_with_its_caption_and_counts():
    (task,) = EmojiWorldGroup(
        "crossing", ["lion", "fox"], "snow", "plain", num_frames=4, size=32, seed=5, prompts=["a panda"]
    )
    world = make_group_clip("crossing", ("lion", "fox"), "snow", "plain", num_frames=4, seed=5, size=32)
    assert task.clip.content_hash() == world.clip.content_hash()
    assert task.source_prompt == world.caption == "a lion is running in the snow"
    assert task.prompts == ("a panda",) and task.mask.equal(world.mask)
    assert set(task.truth) == {"depth", "counts"}
    assert all(task.truth[name].equal(getattr(world, name)) for name in task.truth)
    assert task.asked(world.caption) == {"subject": "lion", "background": "snow", "style": "plain"}


@pytest.mark.parametrize("kind", ["crossing", "family"])
def test_the_configured_clips_hide_someone_and_ask_for_what_the_world_has(kind):
    seen = []
    run("tune", [f"data=emojiworld_{kind}"], lambda config: seen.append(plain(config)["data"]))
    (config,) = seen
    del config["_target_"]
    (task,) = EmojiWorldGroup(**config)
    counts = task.truth["counts"]
    assert counts.max() > counts.min() and len(task.prompts) in (2, 3)
    before = task.asked(task.source_prompt)
    for prompt in task.prompts:
        asked = task.asked(prompt)
        assert asked is not None and sum(asked[name] != before[name] for name in asked) == 1


def test_refuses_what_the_world_has_not():
    with pytest.raises(InputError, match="herd"):
        EmojiWorldGroup("herd", ["fox"], "snow", "plain", num_frames=4, size=32)
