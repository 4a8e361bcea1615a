"""The process in which a scenario is played: `python -m hanging.play MODULE SCENARIO LIMIT TOOL ...`.

It imports little, because a table takes hundreds of such processes.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Iterable
from importlib import import_module

import hanging.naive  # noqa: F401 - adds its tools

from . import scenario as settings
from . import tools as tools_of
from .scenario import SCENARIOS, CannotError, HangsError, report
from .tools import TOOLS

#: The `timeout=` of tools that have one, in seconds. Without it, they would wait for ever.
TIMEOUT = 0.2


def show_progress(text: str) -> None:
    """Write to the stderr of the program that makes the table; this process's own is kept for stacks.

    On a terminal, each text replaces the one before.
    """
    stderr = int(os.environ.get("GILONCE_PROGRESS", "-1"))
    if stderr >= 0:
        text = f"\r\x1b[K{text}" if os.isatty(stderr) else f"{text}\n"
        os.write(stderr, text.encode())


def play(name: str, tools: Iterable[str], limit: float) -> None:
    """Play a scenario in this process with one tool after the other, and report each outcome."""
    sys.setswitchinterval(1e-6)
    settings.limit = limit
    if hasattr(signal, "SIGALRM"):
        faulthandler.register(signal.SIGALRM, chain=True)
    scenario = SCENARIOS[name]
    for tool in tools:
        report("begin", tool)
        show_progress(f"{name} with {tool} ...")
        if TOOLS[tool].has("make"):
            TOOLS[tool].make(settings.Value)  # imports what it needs, which takes a while on a busy machine
        settings.go_on()
        settings.told.clear()
        tools_of.timeout = TIMEOUT if scenario.is_unseen else None
        try:
            scenario.run(settings.telling(TOOLS[tool]))
            if not scenario.is_alone:
                settings.check_under_way(TOOLS[tool])
        except CannotError as reason:
            report("cannot", str(reason))
        except HangsError as where:
            report("hangs", str(where))
        except BaseException as error:
            report("wrong", f"{type(error).__name__}: {error}")
        else:
            if not scenario.is_alone:
                report("told" if settings.told else "ok", ", ".join(sorted(settings.told)))
    if not scenario.is_alone:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    import_module(f"hanging.{sys.argv[1]}")
    play(sys.argv[2], sys.argv[4:], float(sys.argv[3]))
