"""Interruptions at every point of a first touch.

`sys.settrace` with opcode events stops before every bytecode that a touch executes: the caller's, the tool's and the
initializer's. That is harsher than real life, because the interpreter checks for signals at some bytecodes only (after
calls, at jumps backwards). So a tool may hang here that would not hang at a real Ctrl-C, which `timer` tries.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import os
import signal
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from support.bytecodes import AtBytecode, positions

from .scenario import (
    CannotError,
    First,
    Value,
    WrongError,
    check_under_way,
    expect_one,
    go_on,
    handling,
    outcome_of,
    scenario,
    start,
    together,
)
from .tools import Tool, Touch


class Interruption(AtBytecode):
    """An interrupt before that bytecode."""

    def run(self, action: Callable[[], Any]) -> Any:
        # Exceptions in finalizers are lost, so no finalizer may run meanwhile.
        gc.disable()
        try:
            return super().run(action)
        finally:
            gc.enable()


def interrupted(touch: Touch, position: int, interrupt: Callable[[], object]) -> tuple[Any, int]:
    """Touch, and call `interrupt` before that bytecode; return the outcome and the number of bytecodes."""
    interruption = Interruption(position, interrupt)
    return outcome_of(functools.partial(interruption.run, touch)), interruption.seen


def raise_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


class Remains:
    """Values that must be freed once they are dropped: whatever an interruption leaves behind keeps them alive."""

    def __init__(self) -> None:
        self._references: list[weakref.ref[Any]] = []

    def add(self, value: Any) -> None:
        self._references.append(weakref.ref(value))

    def check(self) -> None:
        if sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)():
            return  # it makes functions and classes immortal, and so what they refer to, when a thread is started
        for _ in range(5):
            gc.collect()  # again, for PyPy, which frees at the second what had a finalizer at the first, and so on
        alive = sum(reference() is not None for reference in self._references)
        if alive:
            raise WrongError(f"{alive} of {len(self._references)} values are kept alive by what was left behind")


@contextlib.contextmanager
def unraisable() -> Iterator[list[type]]:
    """Give a list that collects the types of exceptions that reach no caller."""
    sources: list[type] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda report: sources.append(type(report.object))
    try:
        yield sources
    finally:
        sys.unraisablehook = before


def check_after(tool: Tool, touch: Touch, others: list[Any], initializer: First) -> Value:
    """Check that every thread that was not interrupted got the value, and that a new touch gets it; return it."""
    elsewhere: Value
    (elsewhere,) = together(touch)
    expect_one([*others, elsewhere, touch()])
    if elsewhere not in initializer.made:
        raise WrongError("the value is none that the initializer made")
    check_under_way(tool)
    return elsewhere


@scenario()
def interrupt(tool: Tool) -> None:
    """`KeyboardInterrupt` at every bytecode of a first touch.

    Wrong, too: the exception is lost; the value is not the one that had been published; something that was left
    behind says that somebody is still at work, or keeps the value, or what it belongs to, alive.
    """
    tool.make(Value)()  # imports what is imported late
    remains = Remains()
    for position in positions():
        go_on()
        initializer = First(int)
        touch = tool.make(initializer)
        # In a thread, because the bytecodes at the end of an `except` never fail by themselves. An interruption at one
        # of them leaves the handled exception as the one that the thread is handling.
        with unraisable() as sources:
            ((outcome, seen),) = together(functools.partial(interrupted, touch, position, raise_keyboard_interrupt))
        if seen < position:
            break
        # Up to Python 3.12, dropping a generator runs bytecodes in it. An exception at one of them reaches no caller.
        if type(outcome) is not KeyboardInterrupt and sources != [types.GeneratorType]:
            raise WrongError(f"at bytecode {position}, it was lost, and the outcome is {outcome!r}")
        outcome = None
        remains.add(check_after(tool, touch, [], initializer))
    # The caller's own bytecodes count too. Without any, the test would prove nothing.
    assert position > 4
    del touch, initializer, outcome
    remains.check()


def _untraced(action: Callable[[], object]) -> None:
    """Do something in which the bytecodes do not count."""
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        action()
    finally:
        sys.settrace(trace)


def let_wait(tool: Tool, others: list[start]) -> None:
    """Let the other threads touch the value, until they end or wait, as far as the tool shows it, or for a moment.

    It does no harm if a thread is not there yet: then the interruption comes at another moment. (This does not use
    `settle`, because on Python 3.11 reading the frames of running threads can crash the interpreter, and this runs
    thousands of times.)
    """
    for _ in range(50):
        alive = sum(other.thread.is_alive() for other in others)
        if not alive or len(tool.under_way()) > alive:
            break
        time.sleep(1e-4)


@scenario()
def interrupt_who_is_waited_for(tool: Tool) -> None:
    """`KeyboardInterrupt` at every bytecode of a first touch, while two other threads wait for it.

    Wrong, too: the exception is lost; the value is not one that the initializer made; a thread that no longer works on
    the value is still registered. (With a tool whose threads do not wait, the others have published meanwhile, so the
    interrupted thread is a loser.)
    """
    tool.make(Value)()
    for position in positions():
        go_on()
        entered = threading.Event()
        others: list[start] = []

        def inside(entered: threading.Event = entered, others: list[start] = others) -> None:
            entered.set()
            let_wait(tool, others)

        initializer = First(functools.partial(_untraced, inside))
        touch = tool.make(initializer)

        def when_entered(entered: threading.Event = entered, touch: Touch = touch) -> Any:
            entered.wait()
            return touch()

        others += [start(when_entered), start(when_entered)]
        ((outcome, seen),) = together(functools.partial(interrupted, touch, position, raise_keyboard_interrupt))
        entered.set()
        got = [other() for other in others]
        check_after(tool, touch, got, initializer)
        if seen < position:
            break
        if type(outcome) is not KeyboardInterrupt:
            raise WrongError(f"at bytecode {position}, it was lost, and the outcome is {outcome!r}")
    assert position > 4


def interrupt_one_who_waits(
    tool: Tool, make: Callable[[First], tuple[Touch, Callable[[int], tuple[Any, int]]]], position: int
) -> tuple[Any, int, list[type]]:
    """Interrupt a thread that waits for another thread's initializer while a third thread waits too.

    Given an initializer, `make` returns two functions: one touches, the other touches and is interrupted before the
    bytecode with a given number. Return the outcome, the number of bytecodes, and the exceptions that reached no
    caller.
    """
    go_on()
    entered, both_there = threading.Event(), threading.Event()
    others: list[start] = []

    def inside() -> None:
        entered.set()
        both_there.wait()
        # While this thread stays, the others wait, or end if the tool makes none wait.
        let_wait(tool, others)

    initializer = First(inside)
    touch, touch_interrupted = make(initializer)
    leader = start(touch)
    entered.wait()
    others += [start(functools.partial(touch_interrupted, position)), start(touch)]
    with unraisable() as sources:
        both_there.set()
        outcome, seen = others[0]()
        got = [leader(), others[1]()]
    # At once, because a new touch could be made to wait.
    check_under_way(tool)
    check_after(tool, touch, got, initializer)
    return outcome, seen, sources


@scenario()
def interrupt_who_waits(tool: Tool) -> None:
    """`KeyboardInterrupt` at every bytecode of a touch that waits for another thread's, as a third one does.

    Wrong, too: as before.
    """
    tool.make(Value)()

    def make(initializer: First) -> tuple[Touch, Callable[[int], tuple[Any, int]]]:
        touch = tool.make(initializer)
        return touch, lambda position: interrupted(touch, position, raise_keyboard_interrupt)

    for position in positions():
        outcome, seen, _ = interrupt_one_who_waits(tool, make, position)
        if seen < position:
            break
        if type(outcome) is not KeyboardInterrupt:
            raise WrongError(f"at bytecode {position}, it was lost, and the outcome is {outcome!r}")
    assert position > 1


@scenario()
def signal_handler_at_every_bytecode(tool: Tool) -> None:
    """A signal handler that touches the value, at every bytecode of a first touch."""
    tool.make(Value)()
    for position in positions():
        go_on()
        seen_there: list[Any] = []
        touch = tool.make(First(int))

        def handler(number: int, frame: object, seen: list[Any] = seen_there, touch: Touch = touch) -> None:
            seen.append(outcome_of(touch))

        with handling(signal.SIGINT, handler):
            outcome, seen = interrupted(touch, position, functools.partial(signal.raise_signal, signal.SIGINT))
        if seen < position:
            break
        expect_one([*seen_there, outcome, touch()], 3)


@scenario()
def interrupt_in_c(tool: Tool) -> None:
    """`KeyboardInterrupt` from a signal in an initializer that is written in C."""
    touch = tool.make(functools.partial(signal.raise_signal, signal.SIGINT))
    with handling(signal.SIGINT, signal.default_int_handler):
        try:
            touch()
            # Python 3.10 looks for the signal after the call only.
            outcome_of(int)
        except KeyboardInterrupt:
            pass
        else:
            raise WrongError("the exception was lost")
    with handling(signal.SIGINT, signal.SIG_IGN):
        expect_one([*together(touch), touch()])


@scenario()
def interrupt_in_c_waiting(tool: Tool) -> None:
    """`KeyboardInterrupt` from a timer's signal in an initializer that waits in C."""
    if not hasattr(signal, "setitimer"):
        raise CannotError("there is no timer here")
    reader, writer = os.pipe()
    touch = tool.make(functools.partial(os.read, reader, 1))
    interruptions = 0

    def handler(number: int, frame: object) -> None:
        nonlocal interruptions
        interruptions += 1
        if interruptions == 1:
            raise KeyboardInterrupt

    with handling(signal.SIGALRM, handler):
        try:
            # Repeatedly, because a signal that comes just before the wait begins does not end the wait.
            signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
            touch()
        except KeyboardInterrupt:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
    os.write(writer, b"xx")
    expect_one([*together(touch), touch()])
    os.close(reader)
    os.close(writer)


@scenario()
def timer(tool: Tool) -> None:
    """`KeyboardInterrupt` from a timer's signal, at any moment, a hundred times.

    Wrong, too: as for `KeyboardInterrupt` at every bytecode.
    """
    if not hasattr(signal, "setitimer"):
        raise CannotError("there is no timer here")
    tool.make(Value)()
    is_armed = False

    def handler(number: int, frame: object) -> None:
        nonlocal is_armed
        if is_armed:
            is_armed = False
            raise KeyboardInterrupt

    remains = Remains()
    interruptions = 0
    with handling(signal.SIGALRM, handler):
        for attempt in itertools.count():
            go_on()
            if interruptions == 100:
                break
            initializer = First(lambda: list(range(1000)))
            touch = tool.make(initializer)
            try:
                is_armed = True
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + attempt % 100))
                touch()
                is_armed = False
            except KeyboardInterrupt:
                interruptions += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            remains.add(check_after(tool, touch, [], initializer))
    del touch, initializer
    remains.check()
