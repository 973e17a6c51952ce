"""What a file may ask for before anything is allocated."""

from dataclasses import dataclass
from pathlib import Path

from giftune.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Upper bounds checked against headers; `max_pixels` bounds frames x height x width of what is kept.

    A kept pixel costs 15 bytes at the peak (8-bit and float32 RGB), so the default stays near 2 GB.
    """

    max_bytes: int = 512 * 2**20
    max_frames: int = 2000
    max_side: int = 8192
    max_pixels: int = 2**27

    def check(self, path: Path, *, width: int, height: int, num_frames: int) -> None:
        """Raises InputError that names the limit which `num_frames` frames of this size would exceed."""
        self.check_side(path, width, height)
        self.check_frames(path, num_frames)
        pixels = width * height * num_frames
        if pixels > self.max_pixels:
            raise InputError(
                f"path {path} asks for {num_frames} frames of {width} x {height}, {pixels} pixels in all: "
                f"max_pixels is {self.max_pixels}; ask for fewer frames with num_frames"
            )

    def check_side(self, path: Path, width: int, height: int) -> None:
        """Raises InputError for pictures that are too wide or too high."""
        if max(width, height) > self.max_side:
            raise InputError(f"path {path} is {width} x {height}: max_side is {self.max_side}")

    def check_frames(self, path: Path, num_frames: int) -> None:
        """Raises InputError for too many frames."""
        if num_frames > self.max_frames:
            raise InputError(f"path {path} has {num_frames} frames or more: max_frames is {self.max_frames}")

    def check_bytes(self, path: Path, num_bytes: int) -> None:
        """Raises InputError for files that are too large."""
        if num_bytes > self.max_bytes:
            raise InputError(f"path {path} has {num_bytes} bytes: max_bytes is {self.max_bytes}")


DEFAULT_LIMITS = Limits()
