"""What gilonce is, as simply as possible: the run with which the implementations are compared.

It has one thread, keeps every value in an attribute, and need not be fast. A cell is an object with or without a
`value`.
"""

from __future__ import annotations

import copy
import functools
from reprlib import recursive_repr
from typing import Any

from support import drive
from support.model.runs import COPYING, PlannedError, Run, Step
from support.model.usages import CELL, Usage


class Owner:
    """An instance, with its `value` and, where it has one from its base class, its `base`."""

    def __repr__(self) -> str:
        return "<Owner>"


class Cell:
    @recursive_repr("<GILOnceCell: ...>")
    def __repr__(self) -> str:
        return repr_of(self)


class EmptyPickle(Cell):
    """A cell whose value is not pickled."""

    def __reduce__(self) -> Any:
        return type(self), ()

    def __copy__(self) -> Any:
        copied = type(self)()
        vars(copied).update(vars(self))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = memo[id(self)] = type(self)()
        if hasattr(self, "value"):
            copied.value = copy.deepcopy(self.value, memo)
        return copied


class Lock(Cell):
    @recursive_repr("<GILOnceCell: ...>")
    def __repr__(self) -> str:
        return repr_of(self, "OnceLock")


class ThreadCell(EmptyPickle):
    @recursive_repr("<ThreadOnceCell: ...>")
    def __repr__(self) -> str:
        return repr_of(self, "ThreadOnceCell")


class ProcessCell(EmptyPickle):
    @recursive_repr("<GILOnceCell: ...>")
    def __repr__(self) -> str:
        return repr_of(self, "ProcessOnceCell")


class BeginsAnew(Owner):
    """An instance whose copies begin anew."""

    def __reduce__(self) -> Any:
        return type(self), ()


#: The cells by what they call themselves.
CELLS = {"GILOnceCell": Cell, "OnceLock": Lock, "ThreadOnceCell": ThreadCell, "ProcessOnceCell": ProcessCell}

# What the messages call them; they are still pickled by the names that they have here.
for _shown, _cell in CELLS.items():
    _cell.__name__ = _shown


class DeadlockError(Exception):
    pass


NOTHING = object()


def put(place: Any, value: Any) -> None:
    """Let a place hold a value, or nothing."""
    vars(place).pop("value", None)
    if value is not NOTHING:
        place.value = value


class AlreadySetError(Exception):
    def __init__(self, message: str, value: object) -> None:
        super().__init__(message)
        self.value = value


def repr_of(place: Any, name: str = "GILOnceCell") -> str:
    return f"<{name}: {place.value!r}>" if hasattr(place, "value") else f"<{name}: empty>"


class ModelSubject:
    """A subject: what a user holds (`it`), and the place where its value is."""

    def __init__(self, usage: Usage, it: Any, place: Any, cls: type) -> None:
        self.usage = usage
        self.it = it
        self.place = place
        self.cls = cls


class ModelRun(Run):
    def __init__(self, usage: Usage, discards: str) -> None:
        super().__init__(discards)
        self.classes: dict[str, type] = {}
        self.places: dict[type | None, Any] = {}
        #: Where an initializer is running that lets no other one begin.
        self.under_way: list[Any] = []
        for subject in usage.subjects:
            name = subject.partition("(")[0]
            cls = self.classes.setdefault(name, type(name, (), {}))
            owner = Owner if usage.is_final else BeginsAnew
            it = CELLS[usage.shown]() if usage.cell == "it" else owner()
            self.add(ModelSubject(usage, it, self.place_of(usage, it, cls), cls))

    def place_of(self, usage: Usage, it: Any, cls: type) -> Any:
        if usage.copies == "value":
            return CELLS[usage.shown]()
        if usage.per == "subject":
            return it
        return self.places.setdefault(cls if usage.per == "class" else None, CELLS[usage.shown]())

    def show(self, subject: ModelSubject) -> dict[str, object]:
        usage, it, place = subject.usage, subject.it, subject.place
        shown: dict[str, object] = {}
        if usage.cell and hasattr(place, "value"):
            shown["the cell"] = place.value
        if usage.copies == "value" and usage.kept:
            shown[usage.kept] = getattr(it, "named", it)
        elif usage.kept and hasattr(it, "value"):
            shown[usage.kept] = it.value
        if hasattr(it, "base"):
            shown[usage.base] = it.base
        return shown

    # The laws.

    def fill(self, place: Any, make: Any, attribute: str = "value", is_async: bool = False) -> Any:
        if not hasattr(place, attribute):
            value = self.alone(place, make, is_async)
            if not hasattr(place, attribute):
                setattr(place, attribute, value)
            published = getattr(place, attribute)
            if published is not value and self.discards != "none" and self.current.usage.discards:
                self.give_away(value, is_async)
            return published
        return getattr(place, attribute)

    def alone(self, place: Any, make: Any, is_async: bool = False) -> Any:
        """Run an initializer. With an `OnceLock`, no other initializer of the same cell runs meanwhile."""
        if self.current.usage.keeper != "OnceLock":
            return make()
        if place in self.under_way:
            if is_async:
                raise RuntimeError("this cell is being initialized by")
            raise DeadlockError("waiting would never end")
        self.under_way.append(place)
        try:
            return make()
        finally:
            self.under_way.remove(place)

    def give_away(self, value: Any, is_async: bool) -> None:
        try:
            later = self.discard(value)
        except PlannedError as error:
            self.log.append(("unraisable", type(error).__name__, str(error), "Exception ignored in discard"))
        else:
            if later is not None and is_async:
                later.action()

    # The actions.

    def act(self, subject: ModelSubject, step: Step) -> Any:
        usage, it = subject.usage, subject.it
        if step.action == "touch":
            return self.touch(subject)
        if step.action == "copy":
            return self.copied(subject, COPYING[step.value])
        if step.action == "isolated":
            covered = [other.place for other in self.subjects if other.usage.is_isolated]
            self.act_over(subject, step, covered, NOTHING)
            return None
        if step.action == "override":
            value = self.value(step.value)
            self.act_over(subject, step, [subject.place], value)
            return value
        if step.action == "assign":
            it.value = self.value(step.value)
            return None
        if step.action == "delete":
            if not hasattr(it, "value") and usage.assigned == "descriptor":
                raise AttributeError(f"{subject.cls.__name__!r} object has no attribute 'thing'")
            if not hasattr(it, "value"):
                del subject.cls().thing  # type: ignore[attr-defined]
            del it.value
            return None
        if step.action == "repr" and isinstance(it, Cell):
            return repr(it)
        if step.action == "repr":
            is_made = hasattr(it, "value") or hasattr(subject.place, "value")
            return repr(self.touch(subject)) if is_made else "<lazy_global: thing() not yet called>"
        return self.act_on_cell(subject, subject.place, step)

    def act_over(self, subject: ModelSubject, step: Step, places: list[Any], value: Any) -> None:
        """Perform the steps inside while `places` hold `value` or nothing. Then discard values that were made there."""
        places = list({id(place): place for place in places}.values())
        found = [(place, getattr(place, "value", NOTHING)) for place in places]
        for place in places:
            put(place, value)
        self.act_inside(subject, step)
        replaced = []
        for place, before in found:
            replaced.append((getattr(place, "value", NOTHING), before))
            put(place, before)
        if self.discards == "none" or not subject.usage.discards:
            return
        for now, before in replaced:
            if now is not NOTHING and now is not before and now is not value:
                self.give_away(now, is_async=False)

    def touch(self, subject: ModelSubject) -> Any:
        usage, it, place = subject.usage, subject.it, subject.place
        owner = {"subject": it, "class": subject.cls, "nothing": None}[usage.owner]

        def make() -> Any:
            if usage.base:
                self.look(self.fill(it, lambda: self.make(owner), "base"))
            return as_coroutine(self.make, owner) if usage.is_async else self.make(owner)

        if usage.copies != "value":
            return self.fill(place, make, is_async=usage.is_async)
        # A proxy keeps what it has found; its name in the module is given up once. (They differ where
        # the cell is emptied between a touch and another one within it.)
        if not hasattr(it, "value"):
            try:
                value = self.fill(place, make)
            except AttributeError as error:
                message = f"the factory thing() of a lazy_global raised AttributeError: {error}"
                raise RuntimeError(message) from error
            if not usage.is_final:
                return value
            it.value = value
            if not hasattr(it, "named"):
                it.named = it.value
            if not hasattr(place, "value"):
                # Emptied while the proxy was on its way to the value, so it is as before.
                del it.value, it.named
            elif place.value is not value:
                it.value = it.named = place.value
            return value
        return it.value

    def copied(self, subject: ModelSubject, how: Any) -> Any:
        usage = subject.usage
        if usage.copies == "itself":
            return subject.it
        if usage.copies == "value":
            return how(self.touch(subject))
        it = how(subject.it)
        place = it if usage.copies == "own" else subject.place
        return self.add(ModelSubject(usage, it, place, subject.cls))

    def act_on_cell(self, subject: ModelSubject, place: Any, step: Step) -> Any:
        value, usage = None, subject.usage
        if step.action in ("get", "take", "set"):
            value = self.value(step.value)
        if step.action == "copy of the cell":
            cell = Cell()
            vars(cell).update({"value": place.value} if hasattr(place, "value") else {})
            cell = COPYING[step.value](cell)
            return self.add(ModelSubject(CELL, cell, cell, Cell))
        if step.action in ("get_or_init", "aget_or_init"):
            is_async = step.action == "aget_or_init"
            make = functools.partial(as_coroutine, self.make) if is_async else self.make
            return self.fill(place, lambda: make(None), is_async=is_async)
        if step.action == "import_attr":
            if usage.keeper == "ThreadOnceCell":
                raise AttributeError("'ThreadOnceCell' object has no attribute 'import_attr'")
            return self.fill(place, lambda: do_import(step.value))
        if step.action == "misuse":
            raise TypeError(
                "the initializer must be callable, not 7 (int): to publish an object that exists already, use set()"
            )
        if step.action == "repr of the cell":
            return repr(place) if isinstance(place, Cell) else repr_of(place, usage.shown)
        if step.action == "is_set":
            return hasattr(place, "value")
        if step.action == "set":
            if hasattr(place, "value"):
                raise AlreadySetError(
                    f"{usage.named} already holds a {type(place.value).__name__!r} object: read it with get(), "
                    "or empty the cell with take() first. The rejected object is this error's .value",
                    value,
                )
            if usage.keeper == "OnceLock":
                self.alone(place, int)
            place.value = value
            return None
        held = getattr(place, "value", value)
        if step.action == "take":
            vars(place).pop("value", None)
        return held


def as_coroutine(function: Any, *arguments: Any) -> Any:
    """Call a function in a coroutine, which turns a StopIteration into a RuntimeError."""

    async def call() -> Any:
        return function(*arguments)

    return drive(call())


def do_import(name: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(f"from decimal import {name}", namespace)
    return namespace[name]
