"""`once_per_args`: the result looks like what it wraps."""

from __future__ import annotations

import copy
import functools
import inspect
import weakref
from types import ModuleType

import pytest


def test_it_looks_like_the_function(gilonce: ModuleType) -> None:
    """To people, to `inspect` and to pickle."""

    def get(region: str, *, profile: str = "default") -> object:
        """Connect."""

    get.note = "the function's own"  # type: ignore[attr-defined]
    get.__qualname__ = "get"
    decorated = gilonce.once_per_args(get)
    assert decorated.__name__ == "get"
    assert decorated.__doc__ == "Connect."
    assert decorated.__module__ == __name__
    assert decorated.__wrapped__ is get
    assert decorated.note == "the function's own"
    assert inspect.signature(decorated) == inspect.signature(get)
    assert inspect.unwrap(decorated) is get
    assert inspect.isfunction(decorated)
    assert weakref.ref(decorated)() is decorated
    assert "get" in repr(decorated)
    assert copy.copy(decorated) is decorated is copy.deepcopy(decorated)
    decorated.note = "another"
    assert (decorated.note, get.note) == ("another", "the function's own")  # type: ignore[attr-defined]


def test_a_method_looks_like_a_method(gilonce: ModuleType) -> None:
    """Bound and unbound."""

    class Owner:
        @gilonce.once_per_args
        def method(self, x: int) -> int:
            """Do it."""
            return x

        @gilonce.once_per_args
        @classmethod
        def of_class(cls, x: int) -> int:
            return x

    bound = Owner().method
    assert bound.__name__ == "method"
    assert bound.__doc__ == Owner.method.__doc__ == "Do it."
    assert bound.__module__ == __name__
    assert inspect.ismethod(bound)
    assert list(inspect.signature(bound).parameters) == ["x"]
    assert repr(Owner.method).endswith("Owner.method>")
    assert repr(bound).startswith("<once_per_args ")
    assert weakref.ref(bound)() is bound
    assert bound != 1


@pytest.mark.parametrize("kind", ["function", "method", "static method"])
def test_the_functions_own_attributes_reach_a_decorator_above(gilonce: ModuleType, kind: str) -> None:
    """`vars()` has what a decorator below has set, and `functools.wraps` above copies it, as with `functools.cache`."""

    def function(*args: int) -> int:
        return len(args)

    function.mark = ["a mark"]  # type: ignore[attr-defined]
    made = gilonce.once_per_args(staticmethod(function) if kind == "static method" else function)
    if kind == "method":
        made = vars(type("Owner", (), {"name": made}))["name"]
    above = functools.wraps(made)(lambda *args: made(*args))
    assert made.mark is vars(made)["mark"] is above.mark is function.mark  # type: ignore[attr-defined]
    assert made.__wrapped__ is function
    assert above(1, 2) == 2
