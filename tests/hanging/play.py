"""The process in which a scenario is played: `python -m hanging.play ROOM SCENARIO LIMIT TOOL ...`.

It imports little, for a table takes hundreds of such processes.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterable
from importlib import import_module

import hanging.naive  # noqa: F401 - adds its tools

from . import scenario as settings
from .scenario import SCENARIOS, CannotError, HangsError, report
from .tools import TOOLS


def play(name: str, tools: Iterable[str], limit: float) -> None:
    """Play a scenario in this process with one tool after the other, and report what came of each."""
    sys.setswitchinterval(1e-6)
    settings.limit = limit
    if hasattr(signal, "SIGALRM"):
        faulthandler.register(signal.SIGALRM, chain=True)
    scenario = SCENARIOS[name]
    for tool in tools:
        report("begin", tool)
        if TOOLS[tool].has("make"):
            TOOLS[tool].make(settings.Value)  # imports what it needs, which on a busy machine takes its time
        settings.go_on()
        try:
            scenario.run(TOOLS[tool])
        except CannotError as reason:
            report("cannot", str(reason))
        except HangsError as where:
            report("hangs", str(where))
        except BaseException as error:
            report("wrong", f"{type(error).__name__}: {error}")
        else:
            if not scenario.is_alone:
                report("ok")
    if not scenario.is_alone:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    import_module(f"hanging.{sys.argv[1]}")
    play(sys.argv[2], sys.argv[4:], float(sys.argv[3]))
