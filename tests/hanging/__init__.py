"""The scenarios of `tests/hangs.py`, a room for each kind, and the tools that they are played with."""

from . import calls, interrupts, naive, tasks, threads, tools

__all__ = ["calls", "interrupts", "naive", "tasks", "threads", "tools"]
