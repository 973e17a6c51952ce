import errno

import pytest

from giftune.cli._errors import explain
from giftune.errors import InputError


def caused(outer, inner):
    try:
        try:
            raise inner
        except BaseException as error:
            raise outer from error
    except BaseException as error:
        return error


@pytest.mark.parametrize(
    ("error", "sentence", "status"),
    [
        (InputError("seed is -1."), "seed is -1.", 2),
        (caused(RuntimeError("wrapped"), InputError("seed is -1.")), "seed is -1.", 2),
        (KeyboardInterrupt(), "the same command resumes", 130),
        (FloatingPointError("loss x is nan at step 3"), "loss x is nan at step 3", 1),
        (OSError(errno.ENOSPC, "No space left", "a.gif"), "disk is full: a.gif", 2),
        (PermissionError(errno.EACCES, "Permission denied", "/runs"), "/runs cannot be used", 2),
        (MemoryError(), "memory is too small", 1),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "memory is too small", 1),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory is too small", 1),
    ],
)
def test_one_sentence(error, sentence, status):
    said, found = explain(error)
    assert sentence in said and found == status and "\n" not in said


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("x"), OSError(errno.EIO, "broken")])
def test_faults_of_the_program_keep_their_traceback(error):
    assert explain(error) is None
