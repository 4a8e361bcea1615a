"""Cases that show what a tool does with gilonce, beside what it does with functools in the same place.

A module in `ecosystem/` declares its cases, and one test runs them:

    PYDANTIC = Tool("pydantic")

    @PYDANTIC.case()
    def is_not_a_field(given: Given) -> None:
        ...

    @pytest.mark.parametrize("case", PYDANTIC.cases, ids=str)
    def test_it_does_as_with_functools(gilonce, case):
        case.check(gilonce)

A case passes if it raises nothing. If it must fail, with functools or with gilonce, `functools=` or `gilonce=` says
why. So gilonce cannot be worse without a reason that the tests know. `ecosystem/matrix.py` makes a table of the cases.
"""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from . import WATCHDOG, run_threads

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What a case decorates with: the decorators of functools, or those of gilonce."""

    #: "functools" or "gilonce".
    name: str
    #: A value that is computed once, of a function without arguments.
    once: Any
    #: A value that is computed once per instance, as an attribute.
    once_property: Any
    #: A value per arguments.
    once_per_args: Any = None


FUNCTOOLS = Given("functools", functools.cache, functools.cached_property, functools.cache)


@dataclass(frozen=True)
class Case:
    """One use of a tool.

    Parameters:
        tool: the tool.
        use: what is tried. It raises an exception if it does not work.
        functools: why it must fail with functools, or "".
        gilonce: why it must fail with gilonce, or "".
    """

    tool: Tool
    use: Callable[[Given], object]
    functools: str
    gilonce: str

    def __str__(self) -> str:
        return self.use.__name__

    def check(self, gilonce: ModuleType) -> None:
        """Run the case with functools and with gilonce. Raise AssertionError unless both do what is declared."""
        self.tool.require()
        ours = Given("gilonce", gilonce.once, gilonce.once_property, gilonce.once_per_args)
        checks = [(FUNCTOOLS, self.functools), (ours, self.gilonce)]
        # PyPy's functools is in Python, and tools treat it differently.
        for given, reason in checks[1:] if sys.implementation.name == "pypy" else checks:
            if reason:
                with pytest.raises((Exception, pytest.fail.Exception)):
                    self.use(given)
            else:
                self.use(given)

    def row(self) -> tuple[str, str, str]:
        """Return what is tried, what comes of it with functools, and with gilonce."""
        tried = (self.use.__doc__ or "").partition("\n")[0].rstrip(".")
        return tried, self.functools or "ok", self.gilonce or "ok"


@dataclass(frozen=True)
class Tool:
    """A package, and the cases for it.

    Parameters:
        package: the package, to be imported; or "" for Python's own library.
        name: the name of the distribution, if it differs.
    """

    package: str
    name: str = ""
    cases: list[Case] = field(default_factory=list, compare=False)
    #: The rows of the table for what other tests try: what is tried, and what comes of it.
    other_rows: list[tuple[str, str, str]] = field(default_factory=list, compare=False)

    def require(self) -> Any:
        """Return the package. Skip the test if it is missing."""
        return pytest.importorskip(
            self.package, reason=f"{self.package} is not installed: pip install 'gilonce[ecosystem]'"
        )

    @property
    def version(self) -> str:
        if self.package in sys.stdlib_module_names:
            return platform.python_version()
        return importlib.metadata.version(self.name or self.package)

    def case(
        self, functools: str = "", gilonce: str = ""
    ) -> Callable[[Callable[[Given], object]], Callable[[Given], object]]:
        """Add the decorated function as a case."""

        def add(use: Callable[[Given], object]) -> Callable[[Given], object]:
            self.cases.append(Case(self, use, functools, gilonce))
            return use

        return add

    def row(self, tried: str, functools: str = "", gilonce: str = "") -> Callable[[T], T]:
        """Return a decorator for a test that is not a case. It adds a row to the table."""
        self.other_rows.append((tried, functools or "ok", gilonce or "ok"))
        return lambda test: test


def where_gilonce_is() -> str:
    """Return the folder of the package under test, for the PYTHONPATH of another process."""
    return str(Path(sys.modules["gilonce"].__file__ or "").parents[1])


def importable(cls: type) -> None:
    """Let pickle find a class that a function has made."""
    cls.__qualname__ = cls.__name__
    setattr(sys.modules[cls.__module__], cls.__name__, cls)


def race_for(read: Callable[[], object], threads: int = 8) -> None:
    """Read in many threads at once, each of which computes a value. Raise AssertionError unless all get one object.

    The initializer must call the function that `meeting` returned, which waits until all threads have called it.
    """
    found = run_threads(*[read] * threads)
    assert not isinstance(found[0], BaseException), found[0]
    assert len({id(value) for value in found}) == 1, found


def meeting(threads: int = 8) -> Callable[[], object]:
    """Return a function that waits until so many threads have called it."""
    barrier = threading.Barrier(threads)
    return lambda: barrier.wait(WATCHDOG)
