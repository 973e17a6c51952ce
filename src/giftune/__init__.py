"""giftune: one-shot tuning of a text-to-image model on one GIF, then editing it by text."""

import os

os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")  # read when diffusers is imported

__version__ = "0.1.0"
