"""Ends the run when a test hangs, and names the test in the last lines, below the stacks of all threads.

pytest's own watchdog, `faulthandler_timeout`, does not name the test. It stays as a second line of defence, because it
needs no GIL and so also ends a hang that keeps all Python code from running. This one acts after four fifths of that
time. With `faulthandler_timeout=0` both are off.
"""

from __future__ import annotations

import _thread
import faulthandler
import math
import os
import time
from typing import Any

_deadline = math.inf
_what = ""


def allow(seconds: float) -> None:
    """Let what runs now take so many seconds from now on."""
    global _deadline
    _deadline = time.monotonic() + seconds if seconds else math.inf


def _watch(stderr: int, sleep: Any = time.sleep, now: Any = time.monotonic) -> None:
    while now() < _deadline:
        sleep(0.5)
    faulthandler.dump_traceback(stderr)
    os.write(stderr, f"\n{_what} hangs; the stacks of all threads are above\n".encode())
    os._exit(1)


class HangWatch:
    """A pytest plugin; `conftest.py` registers it."""

    def __init__(self, config: Any) -> None:
        self._seconds = 0.8 * float(config.getini("faulthandler_timeout"))
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            stderr = os.dup(2)
        self._begin("the collection of the tests")
        # Not a threading.Thread: tests count those.
        _thread.start_new_thread(_watch, (stderr,))

    def _begin(self, what: str) -> None:
        global _what
        _what = what
        allow(self._seconds)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begin(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._begin(f"the end of the run, after {nodeid},")
