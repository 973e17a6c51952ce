from functools import partial

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.prediction import add_noise
from giftune.diffusion.windows import Windows
from giftune.errors import InputError
from giftune.losses.combination import WeightedSum
from giftune.losses.truncated_snr import TruncatedSnr
from giftune.methods.base import Tunable
from giftune.methods.distilled import Distilled
from giftune.sampling.sampler import sample
from giftune.sampling.solvers import DPM_SOLVER
from giftune.training.tuner import Tuner
from giftune.unet.motion_parts import MotionParts
from giftune.unet.weights import read_metadata

SETTINGS = {"num_steps": 5, "inversion_steps": 5, "guidance": 1.0}


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def tuned(method):
    """As if it had been tuned."""
    with torch.no_grad():
        for number, name in enumerate(method.trainable()):
            parameter = method.network.get_parameter(name)
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator(number)))
    return method


@pytest.fixture
def teacher(make_method, tmp_path):
    """A tuned method, and its file."""
    method = tuned(make_method())
    method.save(tmp_path / "teacher.safetensors")
    return method, tmp_path / "teacher.safetensors"


@pytest.fixture
def make(folders, teacher):
    def build(kind="sd1", **settings) -> Distilled:
        backbone = load_backbone(folders[kind], device="cpu")
        settings = {"steps": 5, "teacher_guidance": 3.0, "teach_guidance": True, **SETTINGS, **settings}
        return Distilled(backbone, settings.pop("teacher", teacher[1]), **settings)

    return build


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_target_is_two_steps_of_the_teacher(make, teacher, clip, guidance):
    """By the sampler, at twice the steps, with the tuned method itself and its prompts as text."""
    student, (tutor, _) = make(teach_guidance=guidance != 1), teacher
    batch = student.prepare(clip, "a cat runs")
    tuned(student)  # what it has learnt since is not the teacher's
    fine, coarse = [t for t, _ in tutor.schedule.pairs(10)], dict(tutor.schedule.pairs(5))
    denoises = [tutor.workspace.denoiser(tutor.network, [p], guidance) for p in ("a cat runs", "")]
    seen = set()
    for seed in range(7):
        step = student.step(batch, generator(seed))
        start = int(step.t)
        first = fine.index(start)
        part = slice(first, first + 2)
        expected = [sample(denoise, step.noisy, tutor.schedule, 10, part=part) for denoise in denoises]
        levels = tutor.schedule.alpha_bar(start), tutor.schedule.alpha_bar(coarse[start])
        reached = ddim_step(step.noisy, step.target, *levels)
        errors = [float((reached - found).abs().max()) for found in expected]
        assert min(errors) < 1e-4
        torch.testing.assert_close(add_noise(step.x0, step.target, step.alpha_bar), step.noisy)
        seen.add((start, errors.index(min(errors))))
    assert len({start for start, _ in seen}) > 2 and len({text for _, text in seen}) == 2


def test_it_learns_from_the_teachers_edits(make, teacher, clip):
    student, (tutor, _) = make(steps=2, prompts=["a panda", "a red ball"], posterior="mean"), teacher
    batch = student.prepare(clip, "a cat runs")
    tutor.num_steps = tutor.inversion_steps = 4
    rows = [clip, *tutor.edit(clip, ["a panda", "a red ball"], generator()), clip]
    for mean, row in zip(batch.mean, rows, strict=True):
        torch.testing.assert_close(mean, tutor.workspace.posterior(row)[0][0], rtol=1e-3, atol=1e-3)
    texts = student.workspace.text(["a cat runs", "a panda", "a red ball", ""])
    torch.testing.assert_close(batch.text, texts)
    sources = [student.step(batch, generator(seed)).source for seed in range(8)]
    assert {int((batch.mean == source).flatten(1).all(1).nonzero()[0]) for source in sources} == {0, 1, 2}


def test_it_starts_as_the_teacher_and_only_the_student_learns(make, teacher, clip):
    student, (tutor, _) = make(), teacher
    assert isinstance(student, Tunable) and student.trainable() == tutor.trainable()
    batch = student.prepare(clip, "a cat runs")
    step = student.step(batch, generator())
    expected = tutor.network(step.noisy, step.t, batch.text[:1])
    other = tutor.network(step.noisy, step.t, batch.text[1:])
    assert min((step.prediction - found).abs().max() for found in (expected, other)) < 1e-5
    loss = TruncatedSnr()(step)
    loss.backward()
    learnt = {name for name, p in student.network.named_parameters() if p.grad is not None}
    assert learnt == set(student.trainable()) and not step.target.requires_grad
    again = student.step(batch, generator())
    assert again.noisy.equal(step.noisy) and again.target.equal(step.target)


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_learning_lowers_the_loss_and_leaves_the_teacher(make, make_method, clip, tmp_path, kind):
    tuned(make_method(kind)).save(tmp_path / "other.safetensors")
    student = make(kind, teacher=tmp_path / "other.safetensors", posterior="mean")
    batch = student.prepare(clip, "a cat runs")
    parameters = [student.network.get_parameter(name) for name in student.trainable()]
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    first = student.step(batch, generator(4))
    losses = []
    for _ in range(10):
        losses.append(TruncatedSnr()(student.step(batch, generator(4))))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.7 * losses[0]
    assert student.step(batch, generator(4)).target.equal(first.target)


def test_an_interrupted_run_goes_on_with_the_same_teacher(make, clip, tmp_path):
    def fit(name, stop=0):
        def on_step(step):
            if step == stop:
                raise RuntimeError

        student = make(steps=2)
        batch, loss = (
            student.prepare(clip, "a cat runs"),
            WeightedSum({"distillation": (TruncatedSnr(), 1.0)}),
        )
        optimizer, tuner = partial(torch.optim.AdamW, lr=1e-3), Tuner(max_steps=3, checkpoint_every=2)
        tuner.fit(student, batch, loss, optimizer, tmp_path / name, seed=3, on_step=on_step)
        return [student.network.get_parameter(name) for name in student.trainable()]

    through = fit("through")
    with pytest.raises(RuntimeError):
        fit("stopped", stop=3)
    assert all(a.equal(b) for a, b in zip(fit("stopped"), through, strict=True))


def test_weights_are_a_method_of_the_same_network(make, make_method, clip, tmp_path):
    student, path = make(), tmp_path / "student.safetensors"
    student.prepare(clip, "a cat runs")
    tuned(student).save(path, caption="a cat runs")
    assert read_metadata(path)["distilled"] == {"steps": 5, "guidance": 3.0}
    again, plain = make(teacher="moved away"), make_method(**SETTINGS)
    for method in (again, plain):
        method.load(path)
    edits = [next(iter(m.edit(clip, ["a panda"], generator()))).frames for m in (student, again, plain)]
    assert edits[0].equal(edits[1]) and edits[0].equal(edits[2])


def test_a_student_teaches_the_next(make, clip, tmp_path):
    path = tmp_path / "ten.safetensors"
    first = make(steps=10)
    first.prepare(clip, "a cat")
    first.save(path)
    second = make(teacher=path)
    batch = second.prepare(clip, "a cat")
    unguided = make(teach_guidance=False)
    unguided.prepare(clip, "a cat")
    steps = [method.step(batch, generator()) for method in (second, unguided)]
    torch.testing.assert_close(steps[0].target, steps[1].target)  # what was taught is not taught twice
    for settings, sentence in (
        ({"steps": 10}, "steps is 10, but the teacher was distilled to 10"),
        ({"teacher_guidance": 5.0}, "guidance 3.0 in its weights, so teacher_guidance must be 3.0, not 5.0"),
        ({"teach_guidance": False}, "and teach_guidance true"),
    ):
        with pytest.raises(InputError, match=sentence):
            make(teacher=path, **settings).prepare(clip, "a cat")


def test_refuses(make, make_method, clip, tmp_path):
    wide = tmp_path / "wide.safetensors"
    make_method(norm="pooled").save(wide)
    for settings, sentence in (
        ({"steps": 8}, "steps is 8, twice of it must divide 1000: 2, 4, 5, 10, 20, 25, 50 do"),
        ({"steps": 1}, "steps is 1"),
        ({"guidance": 3.0}, "guidance is 3.0, it must be 1 where teach_guidance is true"),
        ({"solver": DPM_SOLVER}, "sampler must be ddim"),
        ({"window": Windows(4)}, "window.frames null"),
        (
            {"parts": MotionParts(mapping="initial_noise_only"), "inversion_steps": None},
            "cannot be distilled",
        ),
    ):
        with pytest.raises(InputError, match=sentence):
            make(**settings)
    for file, sentence in ((tmp_path / "none", "is not a file"), (wide, "was tuned with norm 'pooled'")):
        with pytest.raises(InputError, match=sentence):
            make(teacher=file).prepare(clip, "a cat")
