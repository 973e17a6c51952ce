from giftune.methods.base import Editor, EditTask, Tunable


def test_giftune_is_what_the_program_may_ask_for(make_method):
    method = make_method()
    assert isinstance(method, Tunable) and isinstance(method.quick(), Editor)


def test_a_task_without_framing_returns_clips_as_they_are(clip):
    task = EditTask(clip, "noise")
    assert task.restore(clip) is clip and task.source is None and task.prompts == ()
