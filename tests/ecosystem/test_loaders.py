"""unittest's loader, doctest, pydoc, pytest and mock: what goes through whole modules and classes computes nothing.

`test_proxies.py` shows the same for lazy globals in modules.
"""

from __future__ import annotations

import doctest
import inspect
import pydoc
import sys
import unittest
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from support.comparison import Case, Given, Tool

DOCTEST = Tool("doctest")
PYDOC = Tool("pydoc")
UNITTEST = Tool("unittest")
PYTEST = Tool("pytest")

SOURCE = """
import unittest

def fail(*_):
    raise AssertionError("computed")

@once
def function():
    '''The docstring.

    >>> 1
    1
    '''

class Owner:
    @once_property
    def attribute(self):
        '''The docstring.

        >>> 2
        2
        '''
        fail()

    @once
    def method(self):
        '''The docstring.

        >>> 3
        3
        '''
        fail()

    @classmethod
    @once
    def of_class(cls):
        '''The docstring.

        >>> 4
        4
        '''
        fail()

class Test(unittest.TestCase):
    @once_property
    def fixture(self):
        fail()

    def test_something(self):
        pass
"""

#: What functools has no form of.
OURS = """
class Lazy:
    @once_property
    @classmethod
    def lazy(cls) -> int:
        '''The docstring of lazy.'''
        fail()

    @once_property
    @staticmethod
    def of_all() -> int:
        '''The docstring of all.'''
        fail()

    @once
    @classmethod
    def below(cls) -> int:
        '''The docstring.

        >>> 5
        5
        '''
        fail()

    @once
    @staticmethod
    def static():
        '''The docstring.

        >>> 6
        6
        '''
        fail()

class TestLazy(unittest.TestCase):
    @once_property
    @classmethod
    def fixture(cls):
        fail()

    def test_something(self):
        pass
"""


def make_module(given: Given, source: str = SOURCE) -> Any:
    module = ModuleType("looked_through")
    vars(module).update(once=given.once, once_property=given.once_property)
    exec(source, vars(module))
    return module


@DOCTEST.case()
def docstrings_are_run(given: Given) -> None:
    """The examples of functions, methods and attributes are found."""
    found = {test.name.partition(".")[2] for test in doctest.DocTestFinder().find(make_module(given))}
    assert {"function", "Owner.method", "Owner.of_class"} <= found
    # Older versions look at properties only.
    assert "Owner.attribute" in found or sys.version_info < (3, 13)


@PYDOC.case()
def help_is_shown(given: Given) -> None:
    """`help()` of a module shows the docstrings, and computes nothing."""
    text = pydoc.plain(pydoc.render_doc(make_module(given)))
    assert text.count("The docstring.") >= 3


@UNITTEST.case()
def loads_tests(given: Given) -> None:
    """The loader finds the tests, and computes nothing."""
    assert unittest.TestLoader().loadTestsFromModule(make_module(given)).countTestCases() == 1


@pytest.mark.parametrize(
    "case", [*DOCTEST.cases, *PYDOC.cases, *UNITTEST.cases], ids=lambda case: f"{case.tool.package}-{case}"
)
def test_a_loader_does_what_it_does_with_functools(gilonce: ModuleType, case: Case) -> None:
    case.check(gilonce)


def make_ours(gilonce: ModuleType) -> Any:
    return make_module(Given("gilonce", gilonce.once, gilonce.once_property), SOURCE + OURS)


def test_no_class_is_computed_by_what_looks_at_it(gilonce: ModuleType) -> None:
    """inspect, pydoc, mock and the loader get the property itself, as they get a `functools.cached_property`."""
    module = make_ours(gilonce)
    entry = vars(module.Lazy)["lazy"]
    assert dict(inspect.getmembers(module.Lazy))["lazy"] is entry
    assert {found.name: found.object for found in inspect.classify_class_attrs(module.Lazy)}["lazy"] is entry
    text = pydoc.plain(pydoc.render_doc(module))
    assert "The docstring of lazy." in text
    assert "The docstring of all." in text
    assert pydoc.HTMLDoc().document(module)
    assert unittest.TestLoader().loadTestsFromModule(module).countTestCases() == 2
    made = mock.create_autospec(module.Lazy)
    assert not callable(made.lazy)
    assert made.below() is not None
    found = {test.name.partition(".")[2] for test in doctest.DocTestFinder().find(module)}
    assert {"Lazy.below", "Lazy.static"} <= found
    # The program itself gets the value.
    with pytest.raises(AssertionError, match="computed"):
        module.Lazy.lazy
    with pytest.raises(AssertionError, match="computed"):
        module.Lazy.of_all


def test_what_has_a_value_shows_it(gilonce: ModuleType) -> None:
    class Owner:
        @gilonce.once_property
        @classmethod
        def of_class(cls) -> int:
            return 3

        @gilonce.once_property
        @staticmethod
        def of_all() -> int:
            return 4

    assert Owner.of_class == 3
    assert Owner.of_all == 4
    members = dict(inspect.getmembers(Owner))
    assert (members["of_class"], members["of_all"]) == (3, 4)
    # An instance has the values.
    fresh = type("Sub", (Owner,), {})()
    assert dict(inspect.getmembers(fresh))["of_class"] == 3


@PYTEST.row("The collection finds the tests and examples, and computes nothing")
@pytest.mark.parametrize("options", [[], ["--doctest-modules"]])
def test_pytest_collects_and_computes_nothing(
    gilonce: ModuleType, pytester: pytest.Pytester, options: list[str]
) -> None:
    source = "from gilonce import once, once_property\n" + SOURCE + OURS
    pytester.makepyfile(test_looked_through=source.replace('raise AssertionError("computed")', "open('ran', 'w')"))
    result = pytester.runpytest_inprocess("-p", "no:gilonce", *options)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= (7 if options else 2)
    assert not (pytester.path / "ran").exists()
