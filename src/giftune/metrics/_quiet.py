"""Silence for libraries whose reports are read and said better by `InputError`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """No loading bars and only errors; afterwards all is as the user had set it.

    open_clip writes to the root logger, so that one is quiet as well.
    """
    root, root_level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        root.setLevel(root_level)
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
