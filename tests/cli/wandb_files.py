"""What a W&B run folder says, by W&B's own reader."""

import json
import os
import subprocess
import sys
from pathlib import Path

EXECUTABLE = Path(sys.executable).with_name("wandb")


def records(run_file: Path) -> list[dict]:
    """Each record of a .wandb file, as `wandb leet inspect` prints it."""
    command = [str(EXECUTABLE), "leet", "inspect", "--json", str(run_file)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    return [json.loads(line) for line in printed.stdout.splitlines()]


def of_type(lines: list[dict], kind: str) -> list[dict]:
    return [line[kind] for line in lines if line["type"] == kind]
