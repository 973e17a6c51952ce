"""How the motion grows over the frames of a GIF, every one of which is drawn from the same picture."""

from giftune.errors import InputError

LEAST = 2  # pixels: where the published schedules begin
# Of the authors' demo, ablation and evaluation.
PUBLISHED = {
    "demo": (2, 4, 6, 8, 11, 13, 16, 19),
    "ablation": (2, 4, 6, 8, 11, 14, 17, 19),
    "evaluation": (2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19),
}


def motion_schedule(schedule: str, num_frames: int, motion: int, least: int = LEAST) -> tuple[int, ...]:
    """The motion of each frame in whole pixels: one of `PUBLISHED`, as it is, or "even" steps up to `motion`.

    Even steps begin at `least`, or at `motion` where that is smaller; they are our own. Raises `InputError`
    for an unknown name, a published schedule of another length, and a negative motion.
    """
    if schedule == "even":
        if motion < 0 or num_frames < 1:
            raise InputError(f"motion is {motion} over {num_frames} frames, it must not be negative.")
        first = min(least, motion)
        return tuple(
            first + int((motion - first) * index / max(1, num_frames - 1) + 0.5)
            for index in range(num_frames)
        )
    if schedule not in PUBLISHED:
        raise InputError(f"schedule is {schedule!r}, it must be even or one of {', '.join(PUBLISHED)}.")
    motions = PUBLISHED[schedule]
    if len(motions) != num_frames:
        raise InputError(f"schedule {schedule} has {len(motions)} frames, but {num_frames} are to be drawn.")
    return motions
