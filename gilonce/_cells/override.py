"""`override`: another value for a while, and afterwards the value that was there before.

The overrides of one place form a stack. It is a tuple of pairs: the layer of an override, and the value that this layer
found when it was entered. Entering adds a pair, and writes the override's value into the place. Leaving the topmost
layer removes its pair, and writes back the value that the layer found. Leaving a lower layer does not touch the place.
The value that this layer found goes to the layer above it, which will write it back:

    place   stack
    5       ()
    "a"     (A, 5)                  A is entered
    "b"     (A, 5), (B, "a")        B is entered
    "b"     (B, 5)                  A is left: from now on, B has to write back 5
    5       ()                      B is left

Place and stack change together. `cell._replace(old, new, stack, before, after)` compares both and writes both in one
step. If one of them has changed, it returns False, and its caller reads both again. With a GIL this is one step: in C
it is a function in which no other code runs, and in Python a sequence of bytecodes between which threads do not switch
(see `replace_entry`). Without a GIL, nothing can change a place and a stack in one step. There, a lock keeps overrides
apart from each other for this step alone, in which no user code runs. Reads and initializers never take the lock.
So in Python without a GIL, a change that another thread makes to an instance's dict or slot in the middle of the step,
with `take()` for example, may be lost, or may undo the change of the override.

Stacks are kept in `_stacks`, under a key that names the place. A stack cannot be kept in the cell, because the cell of
a method or an attribute is a view, which is made again at each use. A field for it in every cell, instance and class
would cost memory in all the places that are never overridden. So the first override of a place makes the stack, and
the last one drops it. A program without overrides has none.

The key has the `id` of an object. A layer keeps that object alive, so that the `id` is not used again. It does not keep
its `Override` alive, the object that the user has. When the user drops that object, the callback of a weak reference
leaves the layer. So an override that nothing can leave does not last, and keeps nothing alive.

The idea is that of `unittest.mock.patch`.
"""

from __future__ import annotations

import sys
from _thread import RLock
from weakref import ref

from .._native import replace_with_native
from .callables import name_of
from .decorating import Decorating
from .discarding import report_unraisable
from .fork import in_child
from .racing import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    #: The pairs of a stack, from the bottom to the top. None if the stack was dropped.
    Layers = tuple[tuple["Layer", object], ...] | None


class Stack:
    """The overrides of one place."""

    __slots__ = ("layers",)

    def __init__(self) -> None:
        self.layers: Layers = ()


_stacks: dict[tuple[object, ...], Stack] = {}


def _key_of(place: tuple[Any, ...]) -> tuple[object, ...]:
    owner, *where = place
    return (id(owner), *where)


def layers_of(cell: Any) -> Iterator[tuple[Layer, object]]:
    """Return the layers of the overrides of `cell`, from the bottom to the top, each with the value that it found."""
    stack = _stacks.get(_key_of(cell._place()))
    return iter(() if stack is None else stack.layers or ())


def is_overridden(cell: Any) -> bool:
    """Return whether the value of `cell` is that of an override."""
    value = cell._load()
    return value is not EMPTY and any([layer.value is value for layer, _ in layers_of(cell)])  # noqa: C419 - no generator to drop


def abandon(cell: Any) -> None:
    """Forget the overrides of `cell`. From then on, leaving one of them does nothing."""
    stack = _stacks.pop(_key_of(cell._place()), None)
    if stack is not None:
        stack.layers = None


#: Whether threads switch only after calls and at backward jumps, so that the steps below are atomic.
_HAS_STEPS = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()

#: Makes the steps atomic on other interpreters. It is reentrant, because a signal handler may run while it is held.
_lock = RLock()


def _renew_lock() -> None:
    """Replace the lock in a forked child, because the thread that held it may be gone."""
    global _lock
    _lock = RLock()


in_child.append(_renew_lock)


def in_one_step(step: Callable[..., Any], *arguments: Any) -> Any:
    """Call `step`, a function without calls and loops, so that no other step runs at the same time."""
    if _HAS_STEPS:
        return step(*arguments)
    with _lock:  # pragma: no cover - coverage is measured with a GIL
        return step(*arguments)


def _replace(cell: Any, *change: Any) -> bool:
    """Call `cell._replace` in one step, unless it calls a user's code, which may wait: then no lock may be held."""
    return bool(cell._replace(*change) if cell._calls_user else in_one_step(cell._replace, *change))


def replace_layers(stack: Stack, before: Layers, after: Layers) -> bool:
    """Replace the layers of a stack, if they are `before`. Return whether they were."""
    if stack.layers is before:
        stack.layers = after
        return True
    return False


def _forget(key: tuple[object, ...], stack: Stack) -> None:
    # Without `get` and `pop`, because threads may switch after a call.
    if key in _stacks and _stacks[key] is stack:
        del _stacks[key]


def _drop_unused(key: tuple[object, ...], stack: Stack) -> None:
    """Drop a stack without layers. A thread that has just read it from `_stacks` finds that its `layers` are None."""
    layers = stack.layers
    if not layers and in_one_step(replace_layers, stack, layers, None):
        in_one_step(_forget, key, stack)


class Layer:
    """The effect of one override on one place.

    Parameters:
        cell: the cell whose value is replaced.
        value: the override's value. `EMPTY` empties the cell.
    """

    __slots__ = (
        "_made",
        "_place",
        "_replaced",
        "_replaced_made",
        "_restores",
        "_stack",
        "cell",
        "guard",
        "key",
        "value",
    )

    def __init__(self, cell: Any, value: object) -> None:
        self.cell = cell
        self.value = value
        #: A weak reference to the object by which the user can leave this layer. Its callback leaves the layer.
        self.guard: object = None
        # This keeps the place's owner alive, so its `id` is not used again.
        self._place = cell._place()
        self.key = _key_of(self._place)
        self._stack = Stack()
        self._made = 0
        # While a value is being written back: what the place holds, and that value. None at any other time.
        self._restores: tuple[object, object] | None = None
        # The value that was there instead of this layer's value when the layer was left.
        self._replaced: object = EMPTY
        # The number of that value.
        self._replaced_made = 0

    def _find(self, layers: Layers) -> int:
        for index, (layer, _) in enumerate(layers or ()):
            if layer is self:
                return index
        return -1

    def is_in_force(self) -> bool:
        return self._find(self._stack.layers) >= 0

    def enter(self) -> None:
        """Write `value` into the place, and add this layer to the stack."""
        cell, key = self.cell, self.key
        while True:
            self._stack = stack = _stacks.get(key) or _stacks.setdefault(key, Stack())
            before = stack.layers
            if before is None:
                # Another thread has dropped this stack, and has not removed it from `_stacks` yet.
                in_one_step(_forget, key, stack)
                continue
            found = cell._load()
            self._made = cell._made
            if _replace(cell, found, self.value, stack, before, (*before, (self, found))):
                break
        cell._wake()

    def leave(self) -> None:
        """Write back what the place held. Do nothing if this is not in force. Call it again if it is interrupted."""
        stack = self._stack
        try:
            while (index := self._find(before := stack.layers)) >= 0:
                if self._remove(stack, before or (), index):
                    break
            if self._restores is not None:
                # An interrupt came when the layer was removed, and perhaps before the place was written.
                (replaced, found), idle, cell = self._restores, Stack(), self.cell
                while cell._load() is replaced is not found:
                    # This is False if the interrupted step has left a claim on a slot. The claim is removed then.
                    if _replace(cell, replaced, found, idle, idle.layers, None):
                        break
                self._note_restored(replaced, found)
                self._restores = None
        finally:
            # Also if a user's cell raises.
            _drop_unused(self.key, stack)
        self.guard = None
        self.cell._wake()

    def _remove(self, stack: Stack, before: tuple[tuple[Layer, object], ...], index: int) -> bool:
        cell = self.cell
        below, (_, found), above = before[:index], before[index], before[index + 1 :]
        if above:
            (upper, replaced), *others = above
            is_done = in_one_step(replace_layers, stack, before, (*below, (upper, found), *others))
            self._replaced_made = upper._made
            if is_done:
                upper._made = self._made
                self._note_replaced(replaced, found)
        else:
            self._replaced_made = cell._made
            replaced = cell._load()
            self._restores = replaced, found
            is_done = _replace(cell, replaced, found, stack, before, below or None)
            if is_done:
                self._note_restored(replaced, found)
            self._restores = None
        return bool(is_done)

    def _note_restored(self, replaced: object, found: object) -> None:
        self.cell._made = self._made
        self._note_replaced(replaced, found)

    def _note_replaced(self, replaced: object, found: object) -> None:
        if replaced is not found and replaced is not self.value:
            self._replaced = replaced

    def take_replaced(self) -> object:
        """Return the value that was there instead of this layer's when it was left. A second call returns `EMPTY`."""
        replaced, self._replaced = self._replaced, EMPTY
        return replaced

    def take_replaced_values(self) -> list[tuple[int, object]]:
        """Do the same for a place that may have several values. Return them with their numbers."""
        replaced = self.take_replaced()
        return [] if replaced is EMPTY else self.cell._values_in(self._replaced_made, replaced)

    def discard_replaced(self) -> list[Any]:
        """Discard the values that `take_replaced_values` returns. Return what each call of `discard` returns."""
        return [discard_now(self.cell._discard, value) for _, value in self.take_replaced_values()]

    def discard_replaced_unawaited(self) -> None:
        for discarding in self.discard_replaced():
            report_unawaited(self.cell._discard, discarding, "write 'async with cell.override(...)'")

    def leave_unheld(self, _: object) -> None:
        """Leave, because the user has dropped the object by which this could be left."""
        self.leave()
        self.discard_replaced_unawaited()


def discard_now(discard: Callable[[Any], object] | None, value: object) -> Any:
    """Call `discard` with `value`, unless one of them is missing. Return what `discard` returns."""
    if value is not EMPTY and discard is not None:
        try:
            return discard(value)
        except BaseException as error:
            report_unraisable(error, discard)
    return None


def report_unawaited(discard: Callable[[Any], object] | None, discarding: Any, instead: str) -> None:
    """Report that `discard` has returned a coroutine where nothing can await it. `instead` says what to write."""
    cls = type(discarding)
    # A task has no `close`. It ends also if it is not awaited.
    if hasattr(cls, "__await__") and hasattr(cls, "close"):
        # So that Python does not warn as well.
        discarding.close()
        report_unraisable(
            RuntimeError(f"{name_of(discard)}() returned a coroutine, which is not awaited here: {instead}"), discard
        )


async def finish_discarding(discard: Callable[[Any], object] | None, discarding: Any) -> None:
    """Await `discarding`, which `discard` has returned, if it can be awaited."""
    if hasattr(type(discarding), "__await__"):
        try:
            await discarding
        except Exception as error:
            report_unraisable(error, discard)


@replace_with_native
class AtomicContext:
    """A context manager that is entered completely or not at all, and is left even if Ctrl-C interrupts it.

    A subclass has three methods. `_begin()` may raise, and changes nothing. `_enter()` returns the value for `as`.
    `_leave()` undoes as much as `_enter()` has done, and can be called again after an interrupt. (The C version runs
    no bytecode before or after these three calls, so an interrupt can only come inside one of them.)
    """

    __slots__ = ()

    def __enter__(self: Any) -> Any:
        self._begin()
        try:
            # Inside, so that only one bytecode is left in which an interrupt would leave this in force.
            return self._enter()
        except BaseException:
            self._leave()
            raise

    def __exit__(self: Any, *error: object) -> None:
        try:
            self._leave()
        finally:
            self._leave()


class Override(AtomicContext, Decorating):
    """The context manager that `cell.override(value)` returns. See `GILOnceCell.override`."""

    __slots__ = ("__weakref__", "_cell", "_layer", "_value")

    def __init__(self, cell: Any, value: object) -> None:
        self._cell = cell
        self._value = value
        self._layer: Layer | None = None

    def _anew(self) -> Override:
        return Override(self._cell, self._value)

    def _begin(self) -> None:
        if self._layer is not None and self._layer.is_in_force():
            raise RuntimeError(
                "this override is in force already: to enter it within itself, or in another thread, make another one "
                "with cell.override(value)"
            )
        place = self._cell._to_override()
        place._cover()
        layer = Layer(place, self._value)
        layer.guard = ref(self, layer.leave_unheld)
        self._layer = layer

    def _enter(self) -> object:
        if self._layer is not None:  # pragma: no branch - `_begin` has set it
            self._layer.enter()
        return self._value

    def _leave(self) -> None:
        if self._layer is not None:
            self._layer.leave()
            self._layer.discard_replaced_unawaited()

    async def __aenter__(self) -> object:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        layer = self._layer
        if layer is not None:  # pragma: no branch - `_begin` has set it
            try:
                layer.leave()
            finally:
                layer.leave()
            for discarding in layer.discard_replaced():
                await finish_discarding(layer.cell._discard, discarding)

    def __repr__(self) -> str:
        return f"<override of {self._cell!r} by {self._value!r}>"
