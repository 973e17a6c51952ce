"""An estimate on the terminal, and what to change when it does not fit."""

import shutil

from giftune.benchmark import memory
from giftune.cli._errors import LESS_MEMORY
from giftune.cli._estimate import Estimate
from giftune.cli._tables import columns, print_table


def show_estimate(found: Estimate) -> None:
    rows = columns("stage", "steps", "seconds", "peak MB")
    for stage, seconds in found.seconds.items():
        rows.add_row(stage, str(found.steps[stage]), f"{seconds:.1f}", f"{found.memory_mb[stage]:.0f}")
    print_table(rows)
    free = shutil.disk_usage(".").free / memory.MB
    print(f"time    {lasting(found.total_seconds)}")
    print(f"memory  {size(found.peak_mb)} of {size(found.limit_mb)}")
    print(f"disk    {size(found.disk_mb)} of {size(free)}")
    if found.peak_mb > found.limit_mb:
        print(f"the memory is too small: {LESS_MEMORY}.")
    if found.disk_mb > free:
        print("the disk is too small: paths.runs= chooses another.")


def show_total(seconds: float, disk_mb: float, together: int | None) -> None:
    """Of many runs; `together` of them run at the same time, None if that is not known."""
    clock = f", {lasting(seconds / together)} with {together} at a time" if together and together > 1 else ""
    print(f"time  {lasting(seconds)} of work{clock}")
    print(f"disk  {size(disk_mb)} of {size(shutil.disk_usage('.').free / memory.MB)}", flush=True)


def lasting(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(mb: float) -> str:
    return f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb:.1f} MB"
