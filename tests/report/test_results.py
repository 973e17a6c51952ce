from pathlib import Path

from giftune.report.results import Edit, Results, Run


def edit(run: Run, arm: str) -> Edit:
    return Edit(run, arm, "fox", "", "a panda", "1", Path("a.gif"), None, {}, {})


def test_arms_and_runs_in_order_of_appearance_and_once():
    first, second = Run(Path("b"), "b", "m"), Run(Path("a"), "a", "m")
    results = Results((edit(first, "y"), edit(second, "x"), edit(first, "y"), edit(second, "y")))
    assert results.arms == ["y", "x"]
    assert results.runs == [first, second]
    assert results.runs_of("x") == [second] and results.runs_of("y") == [first, second]


def test_identity_is_what_an_arm_is_not_what_it_was_tuned_on():
    known = {"source clip": "1f", "caption": "a fox", "seed": 3, "optimizer.lr": 0.1}
    assert Run(Path("a"), "a", "m", provenance={"identity": known}).identity == {"optimizer.lr": 0.1}
    assert Run(Path("a"), "a", "m").identity == {}
