"""One of the processes that `_workers` starts: python -m giftune.cli._worker REPORT < job."""

import os
import pickle
import sys
import threading
import traceback
import warnings
from pathlib import Path

from giftune.cli._errors import explain
from giftune.io.atomic import write_json


def main(report: Path) -> int:
    from hydra.core.hydra_config import HydraConfig

    from giftune.cli._together import run_as_rank

    config, HydraConfig.instance().cfg = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore", FutureWarning)
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    try:
        run_as_rank(config)
    except (Exception, KeyboardInterrupt) as error:
        if (explained := explain(error)) is None:
            traceback.print_exc()
            first = next(iter(str(error).splitlines()), "")
            write_json(report, {"fault": f"{type(error).__name__}: {first}"})
        else:
            write_json(report, dict(zip(("sentence", "status"), explained, strict=True)))
        return 1
    return 0


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # not the buffered reader, whose lock would be held at our own end
    os._exit(1)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    if status:
        os._exit(status)  # an orderly end may be aborted by threads that wait for a lost process
