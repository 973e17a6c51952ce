import io
import sys

from giftune.cli._progress import Bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run():
    with Bars() as bars:
        for stage, total in (("tuning", 4), ("sampling", 2)):
            for done in range(1, total + 1):
                bars(stage, done, total)


def test_a_terminal_sees_each_stage_to_its_end(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    run()
    shown = sys.stderr.getvalue()
    assert "tuning" in shown and "4/4" in shown and "sampling" in shown and "2/2" in shown


def test_a_pipe_sees_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run()
    assert sys.stderr.getvalue() == ""
