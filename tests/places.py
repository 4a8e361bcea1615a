"""The places of `test_interleavings.py` and `test_between_bytecodes.py`, and what threads do to them.

All of this is run bytecode by bytecode.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

from scenarios import Model, Place, Scenario, Value
from support import drive

# The places. To add one, write a function as those of support.SURFACES.

PLACES: dict[str, Callable[[Any, Any, Any], Place]] = {}


def place(build: Callable[[Any, Any, Any], Place]) -> Callable[[Any, Any, Any], Place]:
    PLACES[build.__name__] = build
    return build


def of_cell(it: Any, initializer: Any) -> Place:
    return Place(lambda: it.get_or_init(initializer), it.get, lambda: it)


def of_method(owner: Any) -> Place:
    return Place(lambda: owner.method(), lambda: owner.method.cell.get(), lambda: owner.method.cell)


def of_attribute(owner: Any, look: Callable[[], Any]) -> Place:
    def write(value: Any) -> None:
        owner.attribute = value

    def delete() -> None:
        del owner.attribute

    return Place(lambda: owner.attribute, look, None, write, delete)


def in_dict(owner: Any) -> Place:
    return of_attribute(owner, lambda: vars(owner).get("attribute"))


@place
def cell(gilonce: Any, initializer: Any, discard: Any) -> Place:
    return of_cell(gilonce.GILOnceCell(discard=discard), initializer)


@place
def once_function(gilonce: Any, initializer: Any, discard: Any) -> Place:
    it = gilonce.once(initializer, discard=discard)
    return Place(it, lambda: it.cell.get(), lambda: it.cell)


@place
def once_method(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer()

    return of_method(Owner())


@place
def once_class_method(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    return of_method(Owner)


@place
def class_without_values(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Base:
        @gilonce.once(discard=discard)
        @classmethod
        def method(cls) -> Any:
            return initializer()

    # Where the decorator does not stand, the threads make the dict in which the values are kept.
    class Owner(Base):
        pass

    return of_method(Owner)


@place
def property_in_dict(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer()

    return in_dict(Owner())


@place
def property_in_slot(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        __slots__ = ("_attribute",)

        @gilonce.once_property(slot="_attribute", discard=discard)
        def attribute(self) -> Any:
            return initializer()

    # The slot is looked for once in a class.
    Owner().attribute = None
    it = Owner()
    return of_attribute(it, lambda: getattr(it, "_attribute", None))


@place
def property_of_class(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once_property(discard=discard)
        @classmethod
        def attribute(cls) -> Any:
            return initializer()

    return Place(lambda: Owner.attribute, lambda: vars(Owner)["attribute"]._definition.cell_of(Owner).get())


@place
def property_override(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Base:
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer("base")

    class Derived(Base):
        @gilonce.once_property(discard=discard)
        def attribute(self) -> Any:
            return initializer(super().attribute)

    return in_dict(Derived())


@place
def method_override(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Base:
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer("base")

    class Derived(Base):
        @gilonce.once(discard=discard)
        def method(self) -> Any:
            return initializer(super().method())

    return of_method(Derived())


@place
def method_with_kept_cell(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(cell=functools.partial(gilonce.ProcessOnceCell, discard=discard))
        def method(self) -> Any:
            return initializer()

    return of_method(Owner())


@place
def class_with_kept_cell(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(cell=functools.partial(gilonce.ProcessOnceCell, discard=discard))
        @classmethod
        def method(cls) -> Any:
            return initializer()

    return of_method(Owner)


@functools.cache  # a class is known again in the next run
def _guard(gilonce: Any) -> Any:
    class Guard(gilonce.GILOnceCell):  # type: ignore[misc]
        """A final cell of a user's."""

    return Guard


@place
def method_with_guard(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once(cell=functools.partial(_guard(gilonce), discard=discard))
        def method(self) -> Any:
            return initializer()

    return of_method(Owner())


@place
def property_with_guard(gilonce: Any, initializer: Any, discard: Any) -> Place:
    class Owner:
        @gilonce.once_property(cell=functools.partial(_guard(gilonce), discard=discard))
        def attribute(self) -> Any:
            return initializer()

    return in_dict(Owner())


@place
def cell_per_process(gilonce: Any, initializer: Any, discard: Any) -> Place:
    return of_cell(gilonce.ProcessOnceCell(discard=discard), initializer)


@place
def cell_per_thread(gilonce: Any, initializer: Any, discard: Any) -> Place:
    return of_cell(gilonce.ThreadOnceCell(discard=discard), initializer)


@place
def reified_global(gilonce: Any, initializer: Any, discard: Any) -> Place:
    namespace: dict[str, Any] = {"lazy_global": gilonce.lazy_global, "make": initializer, "discard": discard}
    code = """
IT = lazy_global(make, discard=discard)
def touch():
    it = IT
    return getattr(it, "__wrapped__", it)
def write(value):
    global IT
    IT = value
"""
    exec(compile(code, f"{__file__} (a module)", "exec"), namespace)
    proxy = namespace["IT"]

    def look() -> Any:
        return None if namespace["IT"] is proxy else namespace["IT"]

    return Place(namespace["touch"], look, None, namespace["write"])


ACTIONS: dict[str, Callable[[Any, Value], Any]] = {
    "touch": lambda place, _: place.touch(),
    "fail": lambda place, _: place.touch(),
    "get": lambda place, _: place.cell().get(),
    "is_set": lambda place, _: place.cell().is_set(),
    "set": lambda place, value: place.cell().set(value),
    "take": lambda place, _: place.cell().take(),
    "aget_or_init": lambda place, _: drive(place.cell().aget_or_init(_in_coroutine(place.make))),
    "import_attr": lambda place, _: place.cell().import_attr("string", "digits"),
    "copy": lambda place, _: copy.copy(place.cell()).get(),
    "deepcopy": lambda place, _: copy.deepcopy(place.cell()).get(),
    "show": lambda place, _: repr(place.cell()).removeprefix("<GILOnceCell: ").removesuffix(">"),
    "write": lambda place, value: place.write(value),
    "delete": lambda place, _: place.delete(),
    "look": lambda place, _: place.look(),
    "cross_first": lambda place, _: place.across("first"),
    "cross_second": lambda place, _: place.across("second"),
}


def _in_coroutine(make: Any) -> Any:
    async def initializer() -> Any:
        return make()

    return initializer


def scenarios_of(
    place: str, threads: list[tuple[tuple[str, ...], ...]], model: Any = None, **options: Any
) -> list[Scenario]:
    build = PLACES[place]
    return [
        Scenario(f"{place}: {' | '.join(map(', '.join, chosen))}", build, chosen, ACTIONS, model or {}, options)
        for chosen in threads
    ]


OF_CELL = ["touch", "aget_or_init", "fail", "get", "is_set", "set", "take", "import_attr", "copy", "deepcopy", "show"]
OF_VIEW = ["touch", "fail", "get", "set", "take"]
OF_ATTRIBUTE = ["touch", "fail", "write", "delete"]
TOUCH_TWICE: Any = [(("touch",),) * 2]
TOUCH_THRICE: Any = [(("touch",),) * 3]
OF_OVERRIDE = {"touch": Model.touch_override}
OF_GLOBAL = {"touch": Model.touch_global, "fail": Model.fail_global, "write": Model.write_global}
#: The slot has no `setdefault`, a module no compare-and-swap. To write there while another thread publishes is safe
#: only where a check and the write after it are one step; see `SlotCell` and `_reify`.
WITH_GIL = {"every_bytecode": False}
