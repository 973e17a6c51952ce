"""The one exception that means "the user gave something we cannot use"."""


class InputError(ValueError):
    """Bad input, said in one sentence: the argument, its value, and what is allowed.

    Commands print the sentence and exit with status 2, without a traceback.
    """
