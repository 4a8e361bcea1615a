"""What gilonce does in a forked child: one hook for the whole package.

Rooms that have something to forget or to keep there add a function to `in_child`. Where
there is no fork, nothing ever calls them.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Called in the child, in this order, by its only thread, before `os.fork()` returns.
in_child: list[Callable[[], None]] = []


def _after_fork() -> None:
    for function in in_child:
        function()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
