from giftune.cli.tune import with_reader


def test_a_path_chooses_the_reader():
    assert with_reader(["data.path=a.gif", "seed=1"]) == ["data=gif", "data.path=a.gif", "seed=1"]
    assert with_reader(["data.motion=fly"]) == ["data.motion=fly"]
    assert with_reader(["data=folder", "data.path=a"]) == ["data=folder", "data.path=a"]


def test_the_command_of_the_readme_is_understood(giftune, tmp_path):
    prompts = 'edit.prompts=["a dog is running"]'
    command = ["data.path=cat.gif", "data.prompt=a cat is running", prompts, "backbone=sd15"]
    status, out, _ = giftune("tune", *command, "--cfg", "job", "--resolve")
    assert status == 0
    for line in (
        "source: stable-diffusion-v1-5/stable-diffusion-v1-5",
        "prompt: a cat is running",
        "- a dog is running",
        "size: 512",
        "max_steps: 500",
        "guidance: 12.5",
        "lr: 3.0e-05",
        "max_frames: 24",
    ):
        assert line in out
    assert giftune("tune", *command)[2] == "giftune tune: path cat.gif does not exist\n"
    assert list(tmp_path.iterdir()) == []
