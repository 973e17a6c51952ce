"""One job in several processes of this machine, started and watched by the one that the user started."""

import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from giftune.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

POLL_SECONDS, GRACE_SECONDS = 0.05, 10.0


def launch(config: "DictConfig", count: int) -> None:
    """Raises what went wrong in the process that failed first, when all have ended."""
    from hydra.core.hydra_config import HydraConfig

    job = pickle.dumps((config, HydraConfig.instance().cfg))
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        workers = [Worker(rank, count, port, Path(folder)) for rank in range(count)]
        try:
            for worker in workers:
                worker.begin(job)
            while any(worker.status is None for worker in workers):
                if any(worker.status for worker in workers):
                    time.sleep(20 * POLL_SECONDS)  # the others fail of the same, or for want of this one
                    break
                time.sleep(POLL_SECONDS)
            failed = [worker for worker in workers if worker.status]
        finally:
            for worker in workers:
                worker.end()
        if failed:
            raise min(failed, key=Worker.urgency).error()


class Worker:
    """One process with the environment that torchrun would give it; it ends when this one does."""

    def __init__(self, rank: int, count: int, port: int, folder: Path) -> None:
        self.rank, self.count = rank, count
        self.report, self.said = folder / f"{rank}.json", folder / f"{rank}.txt"
        threads = str(max(1, (os.cpu_count() or 1) // count))
        self.environment = {
            "OMP_NUM_THREADS": threads,
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "GROUP_RANK": "0",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self, job: bytes) -> None:
        first = self.rank == 0
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "giftune.cli._worker", str(self.report)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if first else subprocess.DEVNULL,
                stderr=None if first else said,
                env=self.environment,
            )
        assert self.process.stdin is not None
        self.process.stdin.write(job)
        self.process.stdin.flush()  # and stays open: its end tells the worker that we are gone
        if first:
            self.printing = threading.Thread(target=self._print, args=(self.process.stdout,))
            self.printing.start()

    @property
    def status(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def end(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        if self.rank == 0:
            self.printing.join()

    def urgency(self) -> tuple[bool, bool]:
        """The cause comes before what follows from it: a kill, what a user can mend, anything else."""
        return (self.status or 0) >= 0, "sentence" not in self._report()

    def error(self) -> Exception:
        report, name = self._report(), f"process {self.rank + 1} of {self.count}"
        if "sentence" in report:
            bad_input = report["status"] == 2
            return InputError(report["sentence"]) if bad_input else ChildProcessError(report["sentence"])
        if self.status is not None and self.status < 0:
            return ChildProcessError(f"{name} was killed (signal {-self.status}); the same command resumes.")
        said = self.said.read_text(errors="replace").strip()
        print(said, file=sys.stderr)
        return ChildProcessError(f"{name} failed: {report.get('fault', f'status {self.status}')}")

    def _report(self) -> dict[str, Any]:
        return json.loads(self.report.read_text()) if self.report.exists() else {}

    def _print(self, stream: Any) -> None:
        for line in stream:
            print(line.decode(errors="replace"), end="", flush=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
