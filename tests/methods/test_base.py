from giftune.methods.base import Editor, EditTask, Example, Learner, Tunable
from tests.training.toy_learner import ToyLearner


def test_giftune_is_what_the_program_may_ask_for(make_method):
    method = make_method()
    assert isinstance(method, Tunable) and isinstance(method.quick(), Editor)


def test_a_task_without_framing_returns_clips_as_they_are(clip):
    task = EditTask(clip, "noise")
    assert task.restore(clip) is clip and task.source is None and task.prompts == ()


def test_who_learns_from_many_clips_has_losses_of_its_own(make_method, clip):
    assert isinstance(ToyLearner(), Learner) and not isinstance(make_method(), Learner)
    assert Example(clip, "noise").name == ""
