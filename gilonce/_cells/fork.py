"""The package's hooks for `os.fork()`.

Other modules add functions to the lists below. On systems without fork, nothing calls them.
"""

from __future__ import annotations

import os

from .discarding import report_unraisable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Called in the thread that forks, before the fork.
before: list[Callable[[], None]] = []

#: Called in the same thread after the fork, even if the fork has failed.
in_parent: list[Callable[[], None]] = []

#: Called in the child, in this order, by its only thread, before `os.fork()` returns. A function is called a second
#: time if Ctrl-C has interrupted its first call.
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
            # Ctrl-C reaches the child too, and the interpreter ignores the exceptions of this hook. The child must not
            # continue before the function has done its work.
            function()
            report_unraisable(error, function)


def _no_fork(**hooks: object) -> None:
    """Do nothing: this replaces `os.register_at_fork` on systems without fork."""


_register: Callable[..., None] = getattr(os, "register_at_fork", _no_fork)
_register(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
