"""The registry of what `gilonce.testing` isolates and resets."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def registry(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = importlib.import_module("gilonce._cells.registry")
    monkeypatch.setattr(module, "_registered", [])
    monkeypatch.setattr(module, "_limits", [1000])
    return module


class Thing:
    pass


def test_dead_references_are_dropped_when_there_are_many(registry: Any) -> None:
    """So a program that makes and drops once functions for ever keeps a list of bounded length."""
    kept = Thing()
    add = registry.add
    add(registry.ref(kept))
    for _ in range(4000):
        add(registry.ref(Thing()))
        if len(registry._registered) % 1000 == 999:
            gc.collect()
    assert len(registry._registered) <= 1000
    for _ in range(3):
        gc.collect()
    assert registry.registered() == [kept]


def test_the_dead_are_dropped_only_when_the_list_has_doubled(registry: Any) -> None:
    registry._limits[:] = [5000]
    for _ in range(1000):
        registry.add(registry.ref(Thing()))
    assert (len(registry._registered), registry._limits) == (1000, [5000])


def test_one_thread_at_a_time_drops_them(registry: Any) -> None:
    """Another that comes meanwhile, such as a signal handler, goes on without."""
    registry._limits.clear()
    registry._registered.append(registry.ref(Thing()))
    registry.clear_dead_in_time()
    assert (len(registry._registered), registry._limits) == (1, [])


@pytest.mark.parametrize("how", ["call", "get_or_init", "set"])
def test_an_interrupt_while_registering_reaches_the_caller(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The value that is in the cell afterwards, if any, is not discarded."""
    module: Any = importlib.import_module("gilonce._cells.registry")
    losers: list[Any] = []
    function = gilonce.once(lambda: [1], discard=losers.append)
    kept = []
    while len(module._registered) % 1000 != 999:
        kept.append(Thing())
        module.register(kept[-1])

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "clear_dead_in_time", interrupt)
        with pytest.raises(KeyboardInterrupt):
            if how == "call":
                function()
            elif how == "set":
                function.cell.set([1])
            else:
                function.cell.get_or_init(lambda: [1])
    published = function.cell.get()
    assert not any(loser is published for loser in losers)
    assert function() == [1]
    assert published is None or function() is published


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="every object of PyPy can be referred to weakly")
def test_a_cell_that_cannot_be_referred_to_weakly_is_not_registered(gilonce: ModuleType, registry: Any) -> None:
    """It works all the same. To know it would be to keep it alive."""

    class OwnCell:
        __slots__ = ("value",)
        final = True

        def get(self, default: object = None) -> object:
            return getattr(self, "value", default)

        def is_set(self) -> bool:
            return hasattr(self, "value")

        def get_or_init(self, initializer: Any) -> object:
            self.value = initializer()
            return self.value

        async def aget_or_init(self, initializer: Any) -> object:
            self.value = await initializer()
            return self.value

        def set(self, value: object) -> None:
            self.value = value

        def take(self, default: object = None) -> object:
            return default

    function = gilonce.once(cell=OwnCell)(list)
    assert function() == []
    assert registry.registered() == []


def test_a_class_that_takes_no_values_is_not_registered(gilonce: ModuleType, registry: Any) -> None:
    """However often somebody tries."""
    slotted = gilonce.once_property(len, slot="_x")
    slotted.__set_name__(Thing, "x")
    for _ in range(3):
        with pytest.raises(TypeError, match="No slot '_x' on 'int'"):
            slotted.__get__(1)
    assert int not in [reference() for reference in registry._registered]


def test_a_value_that_is_published_while_an_override_registers_the_cell_keeps_its_number(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the numbers, values are discarded in the order in which they were made."""
    cell: Any = gilonce.once(object).cell
    module: Any = importlib.import_module("gilonce._cells.registry")
    register = module.register

    def publish_and_register(it: object) -> None:
        monkeypatch.setattr(module, "register", register)
        cell.set("published meanwhile")
        register(it)

    monkeypatch.setattr(module, "register", publish_and_register)
    with cell.override("fake"):
        assert cell.get() == "fake"
    assert cell.get() == "published meanwhile"
    assert cell._made > 0
