import signal
import subprocess
import sys

import pytest

from giftune.cli._locks import held

HOLD = """
import sys, time
from pathlib import Path
from giftune.cli._locks import held
with held(Path(sys.argv[1]), "here"):
    print("got it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Other processes that hold the lock, or wait for it; each says what it does on stdout."""
    started = []

    def start():
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLD, str(tmp_path / "locks" / "x.lock")]
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return started[-1], started[-1].stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_holder_holds_nothing(tmp_path, holder, capsys):
    process, said = holder()
    assert said == "got it"
    process.send_signal(signal.SIGKILL)
    process.wait()
    with held(tmp_path / "locks" / "x.lock", "here"):
        assert capsys.readouterr().out == ""


def test_the_second_says_so_and_waits(tmp_path, holder):
    with held(tmp_path / "locks" / "x.lock", "here"):
        process, said = holder()
        assert said == "waiting for another process here" and process.poll() is None
    assert process.stdout.readline().strip() == "got it"


def test_an_error_gives_it_back(tmp_path, holder):
    with pytest.raises(KeyboardInterrupt), held(tmp_path / "locks" / "x.lock", "here"):
        raise KeyboardInterrupt
    assert holder()[1] == "got it"
