"""What gilonce does about a fork: one hook for the whole package.

Rooms that have something to hold, to forget or to keep add functions to these lists.
Where there is no fork, nothing ever calls them.
"""

from __future__ import annotations

import os

from ._cell import report_unraisable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Called in the thread that forks, before it does.
before: list[Callable[[], None]] = []

#: Called in that thread afterwards, also where there was no child after all.
in_parent: list[Callable[[], None]] = []

#: Called in the child, in this order, by its only thread, before `os.fork()` returns.
#: Each may be called again after it was interrupted.
in_child: list[Callable[[], None]] = []


def _before_fork() -> None:
    for function in before:
        function()


def _after_fork_in_parent() -> None:
    for function in in_parent:
        function()


def _after_fork_in_child() -> None:
    for function in in_child:
        try:
            function()
        except BaseException as error:
            # Ctrl-C goes to the child, too, and the interpreter lets nothing out of here. The
            # child that goes on must be one in which this was done.
            function()
            report_unraisable(error, function)


def _no_fork(**hooks: object) -> None:
    """Stand in for `os.register_at_fork` on systems that have none."""


_register: Callable[..., None] = getattr(os, "register_at_fork", _no_fork)
_register(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
