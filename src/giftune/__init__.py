"""giftune: one-shot tuning of a text-to-image model on one GIF, then editing it by text."""

__version__ = "0.1.0"
