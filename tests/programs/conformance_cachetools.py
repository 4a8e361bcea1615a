"""cachetools' own tests of one value per arguments, with `once_per_args` instead of its decorators.

`conformance.py` runs them. The decorators of cachetools keep the values in a cache that the caller hands in, and
`once_per_args` keeps them itself. So the tests get a stand-in for the cache, which can only be cleared. A test that
asks it for more is excluded at that moment, when its checks up to there have passed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import unittest
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gilonce import once_per_args

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CACHETOOLS = "cachetools==8.0.2"

#: The classes of tests that are run, by file. The mixins have the tests that cachetools runs for every kind of cache.
#: Left out are the classes for caches that are bounded, weak or invalid, and the files about such caches, about keys
#: and about locks.
CASES = {
    "test_func": ["DecoratorTestMixin"],
    "test_cached": ["DecoratorTestMixin", "PickleTest"],
    "test_cachedmethod": ["MethodDecoratorTestMixin", "UnboundMethodTest", "ClassMethodTest"],
}

_ATTRIBUTES = "its attributes cache, cache_key, cache_lock and cache_condition"
_CLEAR = "wants no cache_clear on the class; here it is a TypeError that says what to write"
_IDENTITY = "wants `obj.m is obj.m`; here a bound method is made anew, as for a plain function"
_REFUSED = "wants an error for what works here"
#: The tests that are not run, with the reason. All others run at least up to where they ask for something else.
EXCLUDED = {
    "test_class_access_alias": _IDENTITY,
    "test_class_call": _CLEAR,
    "test_class_call_info": _CLEAR,
    "test_class_call_keyword_receiver": "passes the instance as a keyword argument",
    "test_classmethod": _REFUSED,
    "test_decorator_attributes": _ATTRIBUTES,
    "test_decorator_attributes_cond": _ATTRIBUTES,
    "test_decorator_attributes_lock": _ATTRIBUTES,
    "test_decorator_deepcopy_super": _IDENTITY,
    "test_decorator_different_names": _REFUSED,
    "test_decorator_immutable_dict": "its text for a `__dict__` that raises; here it is the error of the `__dict__`",
    "test_decorator_no_set_name": _REFUSED,
    "test_decorator_pickle_super": _IDENTITY,
    "test_decorator_repr": "its repr",
    "test_decorator_wrapper_error": "key=None is an error there; here it is the default",
    "test_outer_decorator": _REFUSED,
}


class Cache:
    """Stands for a cache that a test hands in."""

    def __init__(self, *_: object, **__: object) -> None:
        self.maxsize = None
        self.clearing: list[Callable[[], None]] = []

    def clear(self) -> None:
        """Empty the cells of all functions and instances that use this cache."""
        for clear in self.clearing:
            clear()

    def _exclude(self, *_: object) -> Any:
        raise unittest.SkipTest("looks into the cache that it hands in")

    __contains__ = __len__ = values = _exclude


def _asks_for_statistics(*_: object) -> None:
    raise unittest.SkipTest("asks for statistics")


def _locked(*_: object, **__: object) -> None:
    raise unittest.SkipTest("its lock= and condition=")


def _once(function: Any, is_typed: bool) -> Any:
    made: Any = once_per_args(function, typed=is_typed)
    made.cache_info = made.cache_parameters = _asks_for_statistics
    return made


def cached(cache: Cache, key: Any = "hashkey", lock: Any = None, condition: Any = None, **_: object) -> Any:
    """Replace `cachetools.cached`."""

    def decorate(function: Any) -> Any:
        made = _once(function, key == "typedkey")
        cache.clearing.append(made.cache_clear)
        return made

    return decorate if lock is condition is None else _locked()


def cachedmethod(
    find_cache: Callable[[Any], Any],
    key: Any = "methodkey",
    lock: Any = None,
    condition: Any = None,
    **_: object,
) -> Any:
    """Replace `cachetools.cachedmethod`."""

    def decorate(method: Any) -> Any:
        @functools.wraps(method)
        def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
            find_cache(self).clearing.append(made.__get__(self).cache_clear)
            return method(self, *args, **kwargs)

        made = _once(noting, key == "typedmethodkey")
        return made

    return decorate if lock is condition is None else lambda _: property(_locked)


def lru_cache(maxsize: Any = None, typed: bool = False, **_: object) -> Any:
    """Replace `cachetools.func.lru_cache`. What depends on the size asks for statistics."""
    return _once(maxsize, typed) if callable(maxsize) else functools.partial(_once, is_typed=typed)


def suite(source: Path) -> unittest.TestSuite:
    """Return the tests in a source distribution of cachetools."""
    # A key function is known by its name: its keys are the default here, and `typed=True`.
    keys = {name: name for name in ("hashkey", "methodkey", "typedkey", "typedmethodkey")}
    decorators = dict.fromkeys(("fifo_cache", "lfu_cache", "lru_cache", "rr_cache", "ttl_cache"), lru_cache)
    parts = {"keys": _install("cachetools.keys", **keys), "func": _install("cachetools.func", **decorators)}
    _install("cachetools", **parts, Cache=Cache, LRUCache=Cache, cached=cached, cachedmethod=cachedmethod)
    folder = source / "tests"
    spec: Any = importlib.util.spec_from_file_location(
        "cachetools_tests", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = sys.modules["cachetools_tests"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    whole = unittest.TestSuite()
    body = {"cache": lambda *_, **__: Cache(), "DECORATOR": staticmethod(lru_cache)}
    for file, classes in CASES.items():
        module = importlib.import_module(f"cachetools_tests.{file}")
        for name in classes:
            # In this order: the mixins have stubs of `assertEqual` and others, for type checkers.
            bases = getattr(module, name), *([unittest.TestCase] if name.endswith("Mixin") else [])
            case = type(name, bases[::-1], body)
            for test in EXCLUDED.keys() & set(dir(case)):
                setattr(case, test, unittest.skip(EXCLUDED[test])(getattr(case, test)))
            whole.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return whole


def _install(name: str, **names: object) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(names)
    return module
