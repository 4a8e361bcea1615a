"""Other projects' tests of one value per arguments, with `once_per_args` instead of the tool that they test.

`conformance.py` runs them, and those of cachetools, which are in `conformance_cachetools.py`.
"""

from __future__ import annotations

import ast
import functools
import unittest
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gilonce import __implementation__, once_per_args

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: CPython's tests of caches that are not run, with the reason. What asks for statistics says so itself.
STDLIB_EXCLUDED = {
    "test_common_signatures": "looks at cache_info()",
    "test_kwargs_order": "keyword arguments in another order are another key there; here they are the same arguments",
}

if __implementation__ == "python":
    STDLIB_EXCLUDED |= {
        "test_lru_hash_only_once": "the Python implementation hashes a key twice, the first time to look for a value",
        "test_lru_recursion": "recurses as deep as the stack allows, with five frames of ours to one of its own",
    }

FUNCY = "funcy==2.0"
#: funcy's tests of the same job: the file, the test, and why it is excluded, if it is.
FUNCY_TESTS = {
    ("test_flow.py", "test_once_per"): "",
    ("test_flow.py", "test_once_per_args"): "",
    ("test_calc.py", "test_memoize"): "the same argument by position and by keyword is two keys there, and one here",
    ("test_calc.py", "test_memoize_args_kwargs"): "the same argument by position and by keyword is two keys there",
    ("test_calc.py", "test_memoize_memory"): "its .memory; here it is take_all()",
    ("test_calc.py", "test_memoize_key_func"): "",
}


def _asks_for_statistics(*_: object) -> None:
    raise unittest.SkipTest("asks for statistics")


def _cache(function: Any, typed: bool = False) -> Any:
    made: Any = once_per_args(function, typed=typed)
    made.cache_info = made.cache_parameters = _asks_for_statistics
    return made


def _lru_cache(maxsize: Any = None, typed: bool = False) -> Any:
    """Ignore the size: what depends on it asks for statistics."""
    return _cache(maxsize) if callable(maxsize) else functools.partial(_cache, typed=typed)


@_cache
def cached_func(x: int, y: int) -> int:
    return 3 * x + y


class Cached:
    """What CPython's tests of pickling and copying use, where pickle finds it."""

    @_cache
    def cached_meth(self, x: int, y: int) -> int:
        return 3 * x + y

    @staticmethod
    @_cache
    def cached_staticmeth(x: int, y: int) -> int:
        return 3 * x + y


def stdlib_suite() -> unittest.TestSuite:
    """Return CPython's tests of `cache` and `lru_cache`, with `once_per_args`."""
    from test import test_functools  # type: ignore[import-not-found,unused-ignore]

    module = SimpleNamespace(**{**vars(functools), "cache": _cache, "lru_cache": _lru_cache})
    body = {"module": module, "cached_func": (cached_func,), **{k: v for k, v in vars(Cached).items() if "cached" in k}}
    suite = unittest.TestSuite()
    for name in ("TestCache", "TestLRU"):
        case = type(name, (getattr(test_functools, name), unittest.TestCase), body)
        for test in STDLIB_EXCLUDED.keys() & set(dir(case)):
            setattr(case, test, unittest.skip(STDLIB_EXCLUDED[test])(getattr(case, test)))
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite


def funcy_suite(source: Path) -> unittest.TestSuite:
    """Return funcy's tests of the same job."""

    def memoize(function: Any = None, *, key_func: Callable[..., Any] | None = None) -> Any:
        return once_per_args(function, key=key_func)

    def once_per(name: str) -> Any:
        return once_per_args(key=lambda *args, **kwargs: args[0] if args else kwargs[name])

    suite = unittest.TestSuite()
    for (file, name), reason in FUNCY_TESTS.items():
        tree = ast.parse((source / "tests" / file).read_text(encoding="utf-8"))
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
        names: dict[str, Any] = {"memoize": memoize, "once_per": once_per, "once_per_args": once_per_args}
        exec(compile(tree, file, "exec"), names)
        test = unittest.skip(reason)(names[name]) if reason else names[name]
        suite.addTest(unittest.FunctionTestCase(test, description=name))
    return suite
