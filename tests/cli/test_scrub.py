import pytest

from giftune.cli.scrub import scrub


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    (tmp_path / "jane").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "jane"))
    monkeypatch.setenv("HUB_TOKEN", "hf_abcdefgh")
    monkeypatch.setenv("SHORT_TOKEN", "cat")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_may_be_seen_stays():
    config = {"a": [1, 2.5, None, True], "prompt": "a cat and/or a dog, 1/2 size", "runs": "runs/x"}
    assert scrub(config) == config
    assert scrub({"source": "stable-diffusion-v1-5/stable-diffusion-v1-5", "tokenizer": "clip"}) == {
        "source": "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "tokenizer": "clip",
    }


def test_of_a_path_the_name_stays(machine):
    paths = ["/data/jane doe/cat.gif", "~/cat.gif", "C:\\Users\\jane\\cat.gif", str(machine / "cat.gif")]
    assert scrub({"paths": paths}) == {"paths": ["cat.gif"] * 4}
    said = scrub([f"file://{machine}/jane/x", f"from {machine} on"])
    assert str(machine) not in " ".join(said) and said[1] == "from ... on"


def test_secrets_go():
    config = {"api_key": "1", "hub": {"HF_TOKEN": "2", "password": "3"}, "url": "https://hf_abcdefgh@x.org"}
    assert scrub(config) == {"hub": {}, "url": "https://***@x.org"}
