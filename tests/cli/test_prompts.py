import pytest

from giftune.cli._prompts import read_prompts
from giftune.errors import InputError


def test_lists_files_and_single_prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text('a cat, "quoted" / slashed\n\n  a  dog \n🐱 on the beach\n', encoding="utf-8")
    from_file = ['a cat, "quoted" / slashed', "a dog", "🐱 on the beach"]
    assert read_prompts({"prompts": ["a fox", "a dog"], "prompts_file": path}, "") == [
        "a fox",
        "a dog",
        from_file[0],
        from_file[2],
    ]
    assert read_prompts({"prompts": "a fox", "prompts_file": None}, "") == ["a fox"]
    assert read_prompts({"prompts": [12], "prompts_file": None}, "") == ["12"]
    assert read_prompts({"prompts": None, "prompts_file": None}, "") == []


def test_refuses(tmp_path):
    with pytest.raises(InputError, match=r"edit\.prompts holds an empty prompt"):
        read_prompts({"prompts": ["a", "  "], "prompts_file": None}, "edit.")
    with pytest.raises(InputError, match=r"edit\.prompts_file is .*nothing.*: No such file"):
        read_prompts({"prompts": [], "prompts_file": tmp_path / "nothing"}, "edit.")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_prompts({"prompts": [], "prompts_file": tmp_path / "latin.txt"}, "edit.")
