"""The `giftune` command: finds the command named and says what went wrong in one sentence."""

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from giftune import __version__
from giftune.cli._errors import explain

COMMANDS = {
    "tune": "tune on one clip, then edit it with every prompt",
    "train": "train a method on many clips",
    "edit": "more edits with the weights of a run, without tuning again",
    "animate": "a GIF from one picture, a prompt and a magnitude of motion",
    "evaluate": "score an edit against its source and its prompt",
    "benchmark": "every method on every clip of a data set, resumable",
    "report": "runs, sweeps and others' results as one page and tables",
    "study": "two methods side by side for people to judge, and what they answered",
    "caption": "a prompt sheet for a folder of clips, captions by BLIP-2",
    "export": "a data set of giftune in the layout that others read",
    "info": "what a clip, a run, a file of tuned weights or a checkpoint is",
    "doctor": "whether everything is installed, and what to do if not",
}
HELP = f"""usage: giftune COMMAND [NAME=VALUE ...]

{chr(10).join(f"  {name:8} {summary}" for name, summary in COMMANDS.items())}

examples:
  giftune tune
  giftune tune data.path=cat.gif data.prompt="a cat is running" edit.prompts='["a dog is running"]' \\
               backbone=sd15
  giftune edit run=runs/cat-1a2b3c4d prompts='["a fox is running"]'

`giftune COMMAND --help` says more."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 bad input, 1 failed, 130 interrupted."""
    try:
        status = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads any more, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _main(argv: Sequence[str] | None) -> int:
    command, *rest = (sys.argv[1:] if argv is None else list(argv)) or ["--help"]
    if command in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if command in ("-V", "--version"):
        print(f"giftune {__version__}")
        return 0
    if command not in COMMANDS:
        print(f"giftune: {command} is not a command; choose one of {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            return import_module(f"giftune.cli.{command}").main(rest)
    except (Exception, KeyboardInterrupt) as error:
        explained = explain(error)
        if explained is None:
            raise
        sentence, status = explained
        print(f"giftune {command}: {sentence}", file=sys.stderr)
        return status


if __name__ == "__main__":
    sys.exit(main())
