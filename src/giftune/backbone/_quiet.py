"""Silence for libraries that talk about what `InputError` says better."""

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """Only errors are logged and no bars are drawn; afterwards all is as the user had set it."""
    loggers = (diffusers_logging, transformers_logging)
    levels = [logger.get_verbosity() for logger in loggers]
    bars = transformers_logging.is_progress_bar_enabled()
    try:
        for logger in loggers:
            logger.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
