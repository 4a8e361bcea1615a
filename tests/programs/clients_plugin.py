"""A pytest plugin that replaces functools' caches by gilonce: `pytest -p clients_plugin`, for `clients.py`.

Pytest imports it before any conftest. So the package under test finds `once_property` under the name
`functools.cached_property`. `functools.cache` and `functools.lru_cache` use `once` for a function without parameters.
Functions with parameters still get functools' own caches, because `once` does not give one value per argument. So does
`lru_cache(maxsize=0)`, which keeps nothing.

The plugin adds `cache_clear`, which tests call to start again; it is `cell.take`. There is no `cache_info` and no
`cache_parameters`.

The number of replaced objects in each module is written to the file that `GILONCE_CLIENTS_MADE` names.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections import Counter
from pathlib import Path
from types import FunctionType
from typing import Any

import gilonce

lru_cache = functools.lru_cache
made: dict[str, Counter[str]] = {"cached_property": Counter(), "cache": Counter()}

# Counted in the class itself, because the class is under test, not a subclass.
_init: Any = gilonce.once_property.__init__


def _counted_init(self: Any, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    made["cached_property"][str(self.__module__)] += 1


def _once_or(cache: Any, function: Any) -> Any:
    if not isinstance(function, FunctionType):
        return cache(function)
    code = function.__code__
    if code.co_argcount or code.co_kwonlyargcount or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return cache(function)
    made["cache"][function.__module__] += 1
    result: Any = gilonce.once(function)
    result.cache_clear = result.cell.take
    return result


@functools.wraps(functools.cache)
def cache(user_function: Any, /) -> Any:
    return _once_or(lru_cache(maxsize=None), user_function)


@functools.wraps(lru_cache)
def lru_cache_(maxsize: Any = 128, typed: bool = False) -> Any:
    if callable(maxsize):
        return _once_or(lru_cache(), maxsize)
    decorator = lru_cache(maxsize, typed)
    return decorator if maxsize is not None and maxsize <= 0 else lambda function: _once_or(decorator, function)


gilonce.once_property.__init__ = _counted_init  # type: ignore[method-assign]
functools.cached_property = gilonce.once_property  # type: ignore[assignment,misc]
functools.cache = cache
functools.lru_cache = lru_cache_


def pytest_unconfigure() -> None:
    """Write what was made, and by which implementation."""
    assert vars(functools)["cached_property"] is gilonce.once_property
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    report = {"implementation": gilonce.__implementation__, "has_gil": has_gil, **made}
    Path(os.environ["GILONCE_CLIENTS_MADE"]).write_text(json.dumps(report), encoding="utf-8")
