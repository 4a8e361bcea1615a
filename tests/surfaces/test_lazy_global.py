"""lazy_global: making one, its errors, its repr, and what is imported when."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from support import run_python


def test_repr_of_an_untouched_proxy_names_the_factory_and_runs_nothing(gilonce: ModuleType) -> None:
    """Afterwards it is the real object's, even when the cell was emptied again."""

    def load_config() -> list[int]:
        return [1]

    proxy = gilonce.lazy_global(load_config)
    assert "load_config() not yet called" in repr(proxy)
    assert not proxy._self_cell.is_set()
    assert len(proxy) == 1
    assert repr(proxy) == "[1]"
    proxy._self_cell.take()
    assert repr(proxy) == "[1]"


def test_the_cell_can_be_set_before_the_first_touch(gilonce: ModuleType) -> None:
    """Start-up code can put the object there; then the factory never runs."""
    proxy = gilonce.lazy_global(lambda: pytest.fail("must not run"))
    proxy._self_cell.set([1])
    assert repr(proxy) == "[1]"
    assert proxy == [1]


def test_a_factory_that_raises_attribute_error_is_not_taken_for_a_missing_attribute(gilonce: ModuleType) -> None:
    """It arrives as a RuntimeError from it, `hasattr` included, and the next touch tries again."""
    errors: list[Any] = [AttributeError("no such option")]

    def load() -> str:
        if errors:
            raise errors.pop()
        return "loaded"

    proxy = gilonce.lazy_global(load)
    with pytest.raises(RuntimeError, match=r"load\(\) of a lazy_global raised AttributeError: no such option") as hit:
        hasattr(proxy, "anything")
    assert isinstance(hit.value.__cause__, AttributeError)
    assert proxy == "loaded"


@pytest.mark.parametrize("factory", [3, None, "name"])
def test_a_factory_must_be_callable(gilonce: ModuleType, factory: object) -> None:
    """At once, by name."""
    with pytest.raises(TypeError, match=r"lazy_global\(\) takes a callable factory, not "):
        gilonce.lazy_global(factory)


def test_a_mock_is_a_factory_like_any_other(gilonce: ModuleType) -> None:
    """What answers to every attribute is not taken for a coroutine function."""
    assert gilonce.lazy_global(mock.MagicMock(return_value=3)) == 3


def test_a_coroutine_function_is_refused(gilonce: ModuleType) -> None:
    """At once, however it is wrapped: a touch cannot await."""

    async def load() -> int:
        return 1

    for factory in (load, functools.partial(load)):
        with pytest.raises(TypeError, match=r"coroutine function .*load.*cannot await.*@once"):
            gilonce.lazy_global(factory)


def test_wrong_options_are_refused(gilonce: ModuleType) -> None:
    """`interface` is a class, `discard` a callable."""
    for interface in (3, "int", list[int]):
        with pytest.raises(TypeError, match=r"lazy_global\(interface=\.\.\.\) takes a class"):
            gilonce.lazy_global(list, interface=interface)
    with pytest.raises(TypeError, match=r"lazy_global\(discard=\.\.\.\) takes a callable"):
        gilonce.lazy_global(list, discard=3)


@pytest.mark.parametrize("extensions", ["", "1"])
def test_a_proxy_works_with_and_without_the_compiled_part_of_wrapt(gilonce: ModuleType, extensions: str) -> None:
    """wrapt has two implementations; both carry a lazy proxy."""
    source = f"""
import os
os.environ["WRAPT_DISABLE_EXTENSIONS"] = "{extensions}"
from gilonce import lazy_global
calls = []
X = Y = lazy_global(lambda: calls.append(1) or [1, 2])
held = [X]
print(repr(held[0]).endswith("not yet called>"), len(X), type(Y) is list, held[0][1], held[0].__class__, len(calls))
held[0]._self_cell.take()
print(held[0], len(calls))
Z = lazy_global(lambda: print.nothing, reify=False)
try: Z.nothing
except RuntimeError as error: print(type(error.__cause__).__name__)
"""
    assert run_python(gilonce, "-c", source) == "True 2 True 2 <class 'list'> 1\n[1, 2] 1\nAttributeError\n"


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="deep in such a recursion PyPy itself may crash")
def test_a_proxy_that_leads_to_itself_is_a_recursion(gilonce: ModuleType) -> None:
    """However often it is tried."""
    one = gilonce.lazy_global(lambda: one, reify=False)
    first = gilonce.lazy_global(lambda: second, reify=False)
    second = gilonce.lazy_global(lambda: first, reify=False)
    for proxy in one, first, second:
        for _ in range(3):
            with pytest.raises(RecursionError):
                proxy.attribute
            with pytest.raises(RecursionError):
                proxy.__class__


OPERATIONS = [
    lambda it: setattr(it, "attribute", 1),
    lambda it: len(it),
    lambda it: hash(it),
    lambda it: it[0],
    lambda it: 1 in it,
    lambda it: it(),
    lambda it: bool(it),
    lambda it: it + 1,
    lambda it: 1 + it,
    lambda it: it == it,
    lambda it: iter(it),
    lambda it: -it,
]


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="deep in such a recursion PyPy itself may crash")
@pytest.mark.parametrize("reify", [True, False])
def test_an_operation_on_a_proxy_that_leads_to_itself_is_a_recursion(gilonce: ModuleType, reify: bool) -> None:
    """In C, an operation would call itself without end. The third proxy leads to a circle that it is not part of."""
    for operate in OPERATIONS:
        module: Any = ModuleType("circles")
        vars(module).update(lazy_global=gilonce.lazy_global, reify=reify)
        source = """
one = lazy_global(lambda: one, reify=reify)
first = lazy_global(lambda: second, reify=reify)
second = lazy_global(lambda: first, reify=reify)
third = lazy_global(lambda: first, reify=reify)
proxies = one, first, second, third
"""
        exec(source, vars(module))
        for proxy in module.proxies * 2:
            with pytest.raises(RecursionError, match=r"<lambda>\(\) of a lazy_global returned a proxy that leads back"):
                operate(proxy)


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="deep in such a recursion PyPy itself may crash")
def test_a_proxy_whose_cell_leads_back_to_it_is_a_recursion_meanwhile(gilonce: ModuleType) -> None:
    """Under an override, and when the proxy is assigned its own object."""
    owner: Any = ModuleType("owner")
    proxy = owner.PROXY = gilonce.lazy_global(lambda: [1], reify=False)
    other = gilonce.lazy_global(lambda: proxy, reify=False)
    assert (len(proxy), len(other)) == (1, 1)
    for value in proxy, other:
        with gilonce.cell_of(owner, "PROXY").override(value):
            with pytest.raises(RecursionError):
                len(proxy)
            with pytest.raises(RecursionError):
                len(other)
            with pytest.raises(RecursionError):
                proxy.__wrapped__ = value
            with pytest.raises(RecursionError):
                len(proxy)
        assert (len(proxy), len(other)) == (1, 1)


def test_a_factory_that_wraps_itself_has_no_end_and_does_no_harm(gilonce: ModuleType) -> None:
    """`__wrapped__` may lead in a circle."""

    def make() -> Any:
        return [1]

    make.__annotations__["return"] = "list"
    make.__wrapped__ = make  # type: ignore[attr-defined]
    assert len(gilonce.lazy_global(make)) == 1
