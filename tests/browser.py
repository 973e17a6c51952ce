"""A page in a headless Chromium, in real time, through its debugging pipe; no driver is needed."""

import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest

PATIENCE = 240.0  # seconds; a machine under load is slow, not broken


def shown_in_browser(page: Path, expression: str, profile: Path) -> Any:
    """What `expression` says once it is neither null nor false nor empty; skips where Chromium is not."""
    if (browser := shutil.which("chromium")) is None:
        pytest.skip("chromium is not here")
    (asked, ask), (hear, told) = os.pipe(), os.pipe()  # Chromium reads descriptor 3 and writes 4
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
    command = [browser, *flags, f"--user-data-dir={profile}", page.as_uri()]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{asked} 4>&{told} {asked}<&- {told}>&-', "bash", *command],
        pass_fds=(asked, told),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(asked), os.close(told)
    try:
        with open(ask, "wb", buffering=0) as asking, open(hear, "rb") as hearing:
            return _once(_Pipe(asking, hearing), expression)
    finally:
        process.kill()
        process.wait()


def _once(pipe: "_Pipe", expression: str) -> Any:
    deadline, session = time.monotonic() + PATIENCE, None
    while time.monotonic() < deadline:
        targets = pipe.call("Target.getTargets")["targetInfos"]
        pages = [target["targetId"] for target in targets if target["type"] == "page"]
        if session is None and pages:
            attached = pipe.call("Target.attachToTarget", targetId=pages[0], flatten=True)
            session = attached["sessionId"]
        if session is not None:
            asked = {"expression": expression, "returnByValue": True}
            answer = pipe.call("Runtime.evaluate", session, **asked)
            if found := answer.get("result", {}).get("value"):
                return found
        time.sleep(0.1)
    raise AssertionError(f"the page did not show {expression} within {PATIENCE:g} seconds")


class _Pipe:
    """Messages of the DevTools protocol end with a zero byte; events between answers are passed over."""

    def __init__(self, asking: BinaryIO, hearing: BinaryIO) -> None:
        self.asking, self.hearing, self.numbers = asking, hearing, itertools.count(1)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        self.asking.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (answer := self._message()).get("id") != number:
            pass
        return answer.get("result", {})

    def _message(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self.hearing.read(1)) != b"\0":
            if not byte:
                raise AssertionError("the browser ended before it had shown the page")
            text += byte
        return json.loads(text)
