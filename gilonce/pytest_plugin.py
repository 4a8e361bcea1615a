"""The pytest plugin, which pytest loads where gilonce is installed (`-p no:gilonce` keeps it out).

* The fixture `gilonce_isolated`: every decorated function, class and lazy global starts empty in a test that uses it.
* The ini option `gilonce_isolate`: `function` does this for every test, `module` for every module, `off`, the
  default, for none.
* Collection does not touch lazy globals in modules and classes, not even with `--doctest-modules`. As a parameter,
  write `pytest.param(CONFIG)`, because pytest asks any other parameter for its class.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pytest
from _pytest import fixtures

if TYPE_CHECKING:
    from collections.abc import Generator

# At the top, nothing of gilonce is imported but the package itself, because most runs need nothing more.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "gilonce_isolate",
        "off, function or module: whether each test function, or each test module, runs in gilonce.testing.isolated()",
        default="off",
    )


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getini("gilonce_isolate")
    if chosen not in ("off", "function", "module"):
        raise pytest.UsageError(f"gilonce_isolate is off, function or module, not {chosen!r}")
    if chosen != "off":
        # The fixture is registered only if it is wanted, because pytest runs such a fixture for every test.
        plugin = ModuleType(f"gilonce_isolates_each_{chosen}")
        vars(plugin)[plugin.__name__] = pytest.fixture(_isolate, autouse=True, scope=chosen, name=plugin.__name__)
        config.pluginmanager.register(plugin)
    config.stash[_SAFE_GETATTR] = _FIXTURES.safe_getattr
    _FIXTURES.safe_getattr = functools.partial(_safe_getattr, _FIXTURES.safe_getattr)


def pytest_unconfigure(config: pytest.Config) -> None:
    _FIXTURES.safe_getattr = config.stash.get(_SAFE_GETATTR, _FIXTURES.safe_getattr)


_FIXTURES: Any = fixtures
_SAFE_GETATTR = pytest.StashKey[Any]()


def _safe_getattr(ask: Any, it: Any, name: str, default: Any) -> Any:
    """Replace the function with which pytest looks for fixtures: a lazy global looks like a mock, or is not found."""
    if _is_lazy(it):
        # pytest 9 looks for fixtures behind everything in a module, but leaves mocks alone.
        return True if name == "_mock_name" else default
    found = ask(it, name, default)
    return default if _is_lazy(found) else found


def _isolate() -> Generator[None, None, None]:
    from gilonce.testing import isolated

    with isolated():
        yield


@pytest.fixture
def gilonce_isolated() -> Generator[None, None, None]:
    """Let every function decorated by gilonce, every class and every lazy global start empty in this test."""
    yield from _isolate()


def _is_lazy(it: object) -> bool:
    # Before the first lazy global is made, no object is one.
    proxies = sys.modules.get("gilonce._surfaces.global_cell")
    return proxies is not None and proxies.is_lazy(it)


def _without_lazy_globals(module: object) -> Any:
    """Return `module`, or a copy of it without lazy globals if it has any."""
    # By `type()`, because asking a lazy global for its class would touch it.
    if not issubclass(type(module), ModuleType) or not any([_is_lazy(it) for it in list(vars(module).values())]):  # noqa: C419
        return module
    stand_in = ModuleType(vars(module)["__name__"])
    vars(stand_in).update({name: it for name, it in vars(module).copy().items() if not _is_lazy(it)})
    return stand_in


@contextlib.contextmanager
def _hidden_lazy_globals(cls: type) -> Generator[None, None, None]:
    """Take the lazy globals out of `cls` and its bases for a while. There is no stand-in for a class."""
    hidden = [(base, name, it) for base in cls.__mro__ for name, it in vars(base).copy().items() if _is_lazy(it)]
    for base, name, _ in hidden:
        type.__delattr__(base, name)
    try:
        yield
    finally:
        for base, name, it in hidden:
            type.__setattr__(base, name, it)


@pytest.hookimpl(tryfirst=True)
def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    return argname if _is_lazy(val) else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    # pytest, its plugins, unittest and doctest look at each object in a module or class, and would touch lazy globals.
    collect: Any = collector.collect
    node: Any = collector
    if type(collector).__name__ == "DoctestModule":
        # It is a Module too, but doctest compares the module of each function with the one that it searches, so `obj`
        # must stay.
        node.collect = functools.partial(_collect_doctests_without_lazy_globals, collect)
    elif isinstance(collector, pytest.Module):
        node.collect = functools.partial(_collect_without_lazy_globals, collector, collect)
    elif isinstance(collector, pytest.Class):
        # A TestCase too.
        node.collect = functools.partial(_collect_class_without_lazy_globals, collector, collect)
    try:
        return (yield)
    finally:
        vars(node).pop("collect", None)


def _collect_without_lazy_globals(collector: pytest.Module, collect: Any) -> list[Any]:
    module = collector.obj
    collector.obj = _without_lazy_globals(module)
    try:
        return list(collect())
    finally:
        collector.obj = module


def _collect_class_without_lazy_globals(collector: pytest.Class, collect: Any) -> list[Any]:
    with _hidden_lazy_globals(collector.obj):
        return list(collect())


def _collect_doctests_without_lazy_globals(collect: Any) -> list[Any]:
    from doctest import DocTestFinder

    finder: Any = DocTestFinder
    find = finder._find

    def find_without(self: Any, tests: Any, it: object, *arguments: Any) -> Any:
        # From Python 3.13 on, doctest does not touch those in classes.
        if not issubclass(type(it), type):
            return find(self, tests, _without_lazy_globals(it), *arguments)
        with _hidden_lazy_globals(cast("type", it)):
            return find(self, tests, it, *arguments)

    finder._find = find_without
    try:
        return list(collect())
    finally:
        finder._find = find
