"""What threads do to a value that they share, and the scenarios made of that.

The actions, and the surfaces of `support/surfaces.py` on which they act, run bytecode by bytecode.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import sys
from collections.abc import Callable
from typing import Any

from support import drive
from support.interleaving.scenario import Model, OverriddenModel, Scenario, Value
from support.overridable import Loop
from support.surfaces import SURFACES, Access, With, of_attribute, of_methods

# Overrides that call `super()`. Their values are made of their base's value, so they have a model of their own.

OVERRIDES: dict[str, Callable[[Any, Any, Any], Access]] = {}


def override(build: Callable[[Any, Any, Any], Access]) -> Callable[[Any, Any, Any], Access]:
    OVERRIDES[build.__name__] = build
    return build


@override
def property_override(gilonce: Any, initializer: Any, discard: Any) -> Access:
    class Base:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer("base")

    class Derived(Base):
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer(super().attribute)

    return of_attribute(gilonce, Derived)


@override
def method_override(gilonce: Any, initializer: Any, discard: Any) -> Access:
    class Base:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer("base")

    class Derived(Base):
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer(super().method())

    return of_methods(Derived)


@functools.cache  # so that the class is the same one in every run
def user_cell(gilonce: Any) -> Any:
    class UserCell(gilonce.GILOnceCell):  # type: ignore[misc]
        """A final cell of a user's class, which gilonce keeps beside the value."""

    return UserCell


def build_surface(
    surface: str, cell: str | None, *, is_found: bool, is_overridden: bool
) -> Callable[[Any, Any, Any], Access]:
    """Return what builds a surface for a scenario. The parameters are those of `scenarios_of`."""

    def build(gilonce: Any, initializer: Any, discard: Any) -> Access:
        if cell is not None:
            gilonce = With(gilonce, user_cell(gilonce) if cell == "UserCell" else getattr(gilonce, cell))
        if cell == "OnceLock":
            discard = None  # it has no losers
        access = {**SURFACES, **OVERRIDES}[surface](gilonce, initializer, discard)
        # The slot is looked up once per class. To do that in the threads would only add interleavings.
        if surface == "property_in_slot":
            access.another().assign(None)
        elif surface == "once_method_in_slot":
            access.another().cell()
        if cell == "LoopOnceCell":
            access.loops = {thread: Loop() for thread in ("0", "1", "2", "end", "after")}
        if is_found:
            found = access.cell_of()
            access.cell_of = lambda: found
        if is_overridden:
            access.override = access.cell_of().override(Value("fake before"))
            access.override.__enter__()
        return access

    return build


ACTIONS: dict[str, Callable[[Any, Value], Any]] = {
    "touch": lambda access, _: access.touch(),
    "fail": lambda access, _: access.touch(),
    "get": lambda access, _: access.cell().get(),
    "is_set": lambda access, _: access.cell().is_set(),
    "set": lambda access, value: access.cell().set(value),
    "take": lambda access, _: access.cell().take(),
    "take_all": lambda access, _: next(iter(access.take_all()), None),
    "aget_or_init": lambda access, _: drive(access.cell().aget_or_init(_in_coroutine(access.initializer))),
    "import_attr": lambda access, _: access.cell().import_attr("string", "digits"),
    "copy": lambda access, _: copy.copy(access.cell()).get(),
    "deepcopy": lambda access, _: copy.deepcopy(access.cell()).get(),
    "show": lambda access, _: repr(access.cell()).removeprefix("<GILOnceCell: ").removesuffix(">"),
    "override": lambda access, value: _look_under_override(access, value),
    "leave_override": lambda access, _: access.override.__exit__(None, None, None),
    "isolated": lambda access, _: _look_in_isolation(access),
    "write": lambda access, value: access.assign(value),
    "delete": lambda access, _: access.delete(),
    "look": lambda access, _: access.look(),
}


def _look_under_override(access: Access, value: Value) -> Any:
    # Look up the cell once, because each time adds interleavings.
    cell = access.cell_of()
    with cell.override(Value(f"fake {value.label}")):
        return cell.get()


def _look_in_isolation(access: Access) -> Any:
    with sys.modules["gilonce.testing"].isolated():
        return access.look()


def _in_loop(act: Callable[[Access, Value], Any]) -> Callable[[Access, Value], Any]:
    """Let `act` run in an event loop, of which each thread has its own."""

    def act_in_loop(access: Access, value: Value) -> Any:
        asyncio._set_running_loop(access.loops[value.label.partition(".")[0]])
        try:
            return act(access, value)
        finally:
            asyncio._set_running_loop(None)

    return act_in_loop


def _in_coroutine(make: Any) -> Any:
    async def initializer() -> Any:
        return make()

    return initializer


def scenarios_of(
    surface: str,
    threads: list[tuple[tuple[str, ...], ...]],
    model: Any = None,
    *,
    cell: str | None = None,
    begin: Callable[[], Model] = Model,
    is_shared: bool = True,
    is_found: bool = False,
    is_overridden: bool = False,
    **options: Any,
) -> list[Scenario]:
    """Return a scenario for each choice of what the threads do.

    Parameters:
        surface: the surface that the threads share.
        threads: for each scenario and thread, the names of its actions.
        model: the model's actions that differ from those of `begin`.
        cell: the name of a public class of cells, or "UserCell", for `cell=`.
        begin: makes the model.
        is_shared: whether the threads share one value.
        is_found: whether the cell is looked up before the threads begin. So the class or the table that leads to it
            has it already. To make it in the threads adds many interleavings.
        is_overridden: whether the value is overridden before the threads begin.
        options: as for `explore`.
    """
    name = surface if cell is None else f"{surface} with {cell}"
    name = f"{name}, found" if is_found else name
    build = build_surface(surface, cell, is_found=is_found, is_overridden=is_overridden)
    begin = OverriddenModel if is_overridden else begin
    return [
        Scenario(
            f"{name}: {' | '.join(map(', '.join, chosen))}",
            build,
            chosen,
            {name: _in_loop(act) for name, act in ACTIONS.items()} if cell == "LoopOnceCell" else ACTIONS,
            model or {},
            options,
            begin,
            is_shared,
            has_discard=cell != "OnceLock",
        )
        for chosen in threads
    ]


OF_CELL = ["touch", "aget_or_init", "fail", "get", "is_set", "set", "take", "import_attr", "copy", "deepcopy", "show"]
OF_VIEW = ["touch", "fail", "get", "set", "take"]
OF_ATTRIBUTE = ["touch", "fail", "write", "delete"]
TOUCH_TWICE: Any = [(("touch",),) * 2]
TOUCH_THRICE: Any = [(("touch",),) * 3]
OF_OVERRIDE = {"touch": Model.touch_override}
OF_GLOBAL = {
    "touch": Model.touch_global,
    "fail": Model.fail_global,
    "write": Model.write_global,
    "isolated": Model.isolated_global,
    "override": Model.override_global,
}
#: One thread overrides. The others do not empty the place: see `GILOnceCell._replace`.
WITH_OVERRIDE: Any = [(("override",), (action,)) for action in ["touch", "fail", "get", "set"]]
#: One thread isolates the value of another, or its own.
WITH_ISOLATED: Any = [
    *((("isolated",), (action,)) for action in ["touch", "set"]),
    *((("touch", "isolated", "touch"), (action,)) for action in ["touch", "take"]),
]
ISOLATED_ONCE = WITH_ISOLATED[:1]
OVERRIDE_ONCE = WITH_OVERRIDE[:1]
#: With `is_overridden`. Half of an override, where an exploration of the whole does not end.
LEAVE_ONCE: Any = [(("leave_override",), ("touch",))]
#: An isolation between any two steps of the first touch.
TOUCH_BESIDE_ISOLATED: Any = [(("touch",), ("touch", "isolated", "touch"))]
#: The same where the thread that isolates makes no value: it might make another thread wait.
ISOLATED_TWICE: Any = [(("isolated", "isolated"), (action,)) for action in ["touch", "set"]]
#: Exact only where a check and the write after it are one step.
OVERRIDE_AND_EMPTY: Any = [(("override",), ("take",))]
#: The slot has no `setdefault`, a module no compare-and-swap. To write there while another thread publishes is safe
#: only where a check and the write after it are one step; see `SlotCell` and `_reify`.
WITH_GIL = {"every_bytecode": False}
