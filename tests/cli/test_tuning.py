from giftune.io.gif import read_gif


def test_a_world_clip_brings_its_own_caption_and_prompts(giftune, settings, tmp_path):
    world = ["data=emojiworld", "data.size=32", "data.num_frames=3", "data.prompts=[a fox on the snow]"]
    given = [setting for setting in settings if not setting.startswith("data.")]
    status, out, said = giftune("tune", *given, *world)
    assert status == 0 and said == "" and "note:" not in out
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("rabbit-jump-grass-plain-")
    (edit,) = (run / "edits").glob("a-fox-on-the-snow-*.gif")
    assert (read_gif(edit).height, len(read_gif(edit))) == (32, 3)


def test_awkward_names_stay_inside_the_runs_folder(giftune, settings, tmp_path, clip_path):
    odd = clip_path.rename(tmp_path / ".. ein Kätzchen's.gif")
    (tmp_path / "prompts.txt").write_text('../../up "a" \\ 🐱\n' + "long " * 300)
    given = [s for s in settings if not s.startswith("data.path")]
    status, _, _ = giftune("tune", *given, f'data.path="{odd}"', "edit.prompts_file=prompts.txt")
    assert status == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("ein-K-tzchen-s-") and len(list((run / "edits").glob("*.gif"))) == 2
