"""Tools of the tests that fork."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable

import pytest

from support import WATCHDOG

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def fork() -> int:
    """Fork although threads are running: the tests are about what is left of them in the child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(action: Callable[[], object]) -> str:
    """Run `action` in a forked child; return the `repr` of what it returned, or its traceback."""
    reading, writing = os.pipe()
    child = fork()
    if not child:
        try:
            # The thread of faulthandler is not in the child.
            signal.alarm(int(WATCHDOG))
            os.write(writing, repr(action()).encode())
        except BaseException:
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as said:
        answer = said.read()
    assert os.waitpid(child, 0)[1] == 0
    return answer
