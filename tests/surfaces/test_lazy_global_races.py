"""A lazy global whose cell changes during a touch: the proxy and the names end at what the cell holds."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import operator
import sys
import typing
from types import ModuleType
from typing import Any

import pytest
from support import run_threads, survives_interrupts
from support.bytecodes import AtBytecode, files_of, positions

serial = itertools.count()

TOUCHES = [
    len,
    bool,
    str,
    dir,
    iter,
    hash,
    operator.neg,
    operator.attrgetter("__wrapped__"),
    operator.attrgetter("__class__"),
    operator.methodcaller("copy"),
    operator.methodcaller("__add__", [1]),
    lambda it: it[0],
    lambda it: isinstance(it, list),
]


@pytest.fixture
def module(gilonce: ModuleType) -> typing.Iterator[Any]:
    """A module with an untouched lazy global, and a module that has imported it."""
    module, importer = ModuleType(f"races_{next(serial)}"), ModuleType(f"races_{next(serial)}")
    vars(module).update(gilonce=gilonce, IMPORTER=importer)
    for it in module, importer:
        sys.modules[it.__name__] = it
    exec("X = gilonce.lazy_global(lambda: ['computed'])", vars(module))
    exec(f"from {module.__name__} import X", vars(importer))
    yield module
    for it in module, importer:
        del sys.modules[it.__name__]


def in_proxy_module(gilonce: ModuleType) -> ModuleType:
    return importlib.import_module(f"{gilonce.__name__}._surfaces.proxy")


@pytest.mark.parametrize("touch", TOUCHES, ids=range(len(TOUCHES)))
@pytest.mark.parametrize("kept", [["kept"], None])
@pytest.mark.parametrize("step", ["find_names", "replace_names", "stand_for", "follow_if_changed"])
def test_an_override_that_is_left_during_a_touch_does_not_stay(
    gilonce: ModuleType, module: Any, monkeypatch: pytest.MonkeyPatch, step: str, kept: Any, touch: Any
) -> None:
    """The touch got the override's value. wrapt in C even assigns it to the proxy afterwards."""
    proxies, proxy, cell = in_proxy_module(gilonce), module.X, gilonce.cell_of(module, "X")
    if kept is not None:
        cell.set(kept)
    override = cell.override(["fake"])
    override.__enter__()
    original = getattr(proxies, step)

    def leave(*arguments: Any) -> Any:
        monkeypatch.undo()
        result = original(*arguments)
        override.__exit__(None, None, None)
        return result

    monkeypatch.setattr(proxies, step, leave)
    with contextlib.suppress(TypeError):  # a list has no hash, and no negative
        touch(proxy)
    expected = kept or ["computed"]
    for read in lambda: proxy, lambda: module.X, lambda: module.IMPORTER.X, cell.get:
        assert list(read()) == expected


def test_the_cell_is_found_while_the_name_is_replaced(
    gilonce: ModuleType, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the object stands under the name, `cell_of` leads from the name to the cell."""
    proxies, proxy, found = in_proxy_module(gilonce), module.X, []
    replace_names = proxies.replace_names

    def replace_and_look(*arguments: Any) -> None:
        replace_names(*arguments)
        assert type(module.X) is list
        found.append(gilonce.cell_of(module, "X").get())

    monkeypatch.setattr(proxies, "replace_names", replace_and_look)
    assert len(proxy) == 1
    assert found == [["computed"]]


def test_threads_that_touch_at_once_note_each_name_once(gilonce: ModuleType, module: Any) -> None:
    """So an override reaches the names, whichever thread has replaced them."""
    proxy = module.X
    assert run_threads(*[lambda: len(proxy)] * 8) == [1] * 8
    for fake in ["first"], ["second"]:
        with gilonce.cell_of(module, "X").override(fake):
            assert module.X is module.IMPORTER.X is fake
    assert module.X is module.IMPORTER.X is proxy.__wrapped__


def test_a_name_to_which_the_proxy_returns_is_replaced_again(gilonce: ModuleType, module: Any) -> None:
    """monkeypatch and mock put back what they found, which may be the proxy."""
    proxy, cell, fake = module.X, gilonce.cell_of(module, "X"), ["fake"]
    assert len(proxy) == 1
    module.X = "patched"
    with cell.override(fake):
        assert module.X == "patched"
    module.X = proxy
    with cell.override(fake):
        assert module.X is fake
    assert module.X is proxy.__wrapped__


def test_assigning_the_object_of_a_proxy_does_not_part_it_from_its_cell(gilonce: ModuleType, module: Any) -> None:
    proxy = module.X
    assert len(proxy) == 1
    proxy.__wrapped__ = ["another"]
    assert proxy.__wrapped__ is gilonce.cell_of(module, "X").get()


@pytest.mark.parametrize("value", [(), (1, 2), ((1, 2),)])
def test_wrapt_ends_the_touch_of_a_lazy_tuple(gilonce: ModuleType, value: Any) -> None:
    """`str(P)` is an operation of wrapt's in C, which assigns the tuple to the proxy."""
    for interface in None, tuple:
        proxy = gilonce.lazy_global(lambda: value, interface=interface, reify=False)
        assert str(proxy) == str(value)
        assert proxy.__wrapped__ is value


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def test_an_override_reaches_a_global_whose_first_touch_was_interrupted(gilonce: ModuleType) -> None:
    """At every bytecode of the touch. The proxy may have the object by then, or the class of its proxies."""
    if not survives_interrupts(gilonce):
        pytest.skip("CPython 3.10 does not survive an exception between any two bytecodes")
    for position in positions():
        proxy = gilonce.lazy_global(lambda: ["computed"], reify=False)
        cell = gilonce.cell_of(type("Holder", (), {"X": proxy}), "X")
        at_bytecode = AtBytecode(position, raise_interrupt, (files_of(gilonce),))
        with contextlib.suppress(KeyboardInterrupt):
            at_bytecode.run(lambda proxy=proxy: len(proxy))
        with cell.override("fake"):
            assert str(proxy) == "fake", position
        assert str(proxy) == "['computed']", position
        if not at_bytecode.has_acted:
            break
    assert position > 10
