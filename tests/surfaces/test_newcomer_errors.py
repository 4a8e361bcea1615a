"""What a newcomer may write first: each error names the object at fault, and says what to write instead."""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType
from typing import Any

import pytest
from support import clean_testing


@pytest.fixture
def its_name(gilonce: ModuleType) -> dict[str, Any]:
    """Return everything that the tests below name in their code."""

    class Page:
        @gilonce.once_property
        def words(self) -> list[str]:
            return []

        @gilonce.once
        def method(self) -> list[str]:
            return []

        @gilonce.once_per_args
        def per_args(self, key: object) -> list[object]:
            return [key]

        @gilonce.once
        @classmethod
        def of_class(cls) -> list[str]:
            return []

        @gilonce.once_property
        @staticmethod
        def shared() -> list[str]:
            return []

    @gilonce.once
    def get_url() -> str:
        return "production"

    @gilonce.once_per_args
    def get_client(region: str) -> list[str]:
        return [region]

    def load() -> dict[str, str]:
        return {}

    settings = ModuleType("settings")
    settings.SETTINGS = gilonce.lazy_global(load)  # type: ignore[attr-defined]
    settings.LOCKED = gilonce.lazy_global(load, cell=gilonce.OnceLock)  # type: ignore[attr-defined]
    testing = clean_testing(gilonce)
    # Fill some cells.
    assert Page.shared == []
    assert settings.SETTINGS == settings.LOCKED == {}
    return {
        "OnceLock": gilonce.OnceLock,
        "Page": Page,
        "SETTINGS": gilonce.lazy_global(dict, reify=False),
        "ThreadOnceCell": gilonce.ThreadOnceCell,
        "cell_of": gilonce.cell_of,
        "get_client": get_client,
        "get_url": get_url,
        "isolated": testing.isolated,
        "once_property": gilonce.once_property,
        "page": Page(),
        "reset": testing.reset,
        "settings": settings,
    }


#: What is written, the type of its error, and what the message says.
FIRST_ATTEMPTS = [
    # `reset` and `isolated`.
    ("reset(get_url)", TypeError, "write {}get_url.cell.take()"),
    ("reset(get_client)", TypeError, "write {}get_client.take_all()"),
    ("reset(page.method)", TypeError, "write obj.method.cell.take()"),
    ("reset(page.per_args)", TypeError, "write obj.per_args.take_all()"),
    ("reset(SETTINGS)", TypeError, "write cell_of(sys.modules['its.module'], 'ITS_NAME').take()"),
    ("reset([1])", TypeError, "write f.cell.take(), or f.take_all()"),
    ("reset(only=get_url)", TypeError, "reset() takes no arguments"),
    ("isolated(get_url)", TypeError, "write @isolated() with the parentheses"),
    ("isolated(only=get_url)", TypeError, "use f.cell.override(...)"),
    # `cell_of`.
    ("cell_of(SETTINGS)", TypeError, "write cell_of(sys.modules['its.module'], 'ITS_NAME')"),
    ("cell_of(get_url)", TypeError, "write {}get_url.cell"),
    ("cell_of(get_client)", TypeError, "write {}get_client.cell(...) with the arguments"),
    ("cell_of(page.method)", TypeError, "write obj.method.cell"),
    ("cell_of(page.per_args)", TypeError, "write obj.per_args.cell(...) with the arguments"),
    ("cell_of('words')", TypeError, "write cell_of(owner, 'words')"),
    ("cell_of(page)", TypeError, "write cell_of(obj, 'attribute')"),
    ("cell_of()", TypeError, "takes two arguments"),
    ("cell_of(page, 'words', 1)", TypeError, "takes two arguments"),
    ("cell_of(owner=page, name='words')", TypeError, "by position"),
    ("cell_of(page, page.words)", TypeError, "write it in quotes, as in cell_of(page, 'words')"),
    ("cell_of({'__name__': 'settings'}, 'CONFIG')", TypeError, "write cell_of(sys.modules['settings'], 'CONFIG')"),
    ("cell_of(page, 'per_args')", TypeError, "Page().per_args.cell(...) with the arguments"),
    # Methods of the cell, on a function.
    *[
        (f"get_url.{name}(1)", AttributeError, f"get_url has no {name!r}: write {{}}get_url.cell.{code}")
        for name, code in {
            "override": "override(value)",
            "take": "take()",
            "set": "set(value)",
            "get": "get()",
            "is_set": "is_set()",
            "get_or_init": "get_or_init(f)",
            "reset": "take()",
            "clear": "take()",
        }.items()
    ],
    ("page.method.override(1)", AttributeError, "obj.method has no 'override': write obj.method.cell.override(value)"),
    ("Page.of_class.take()", AttributeError, "Page.of_class has no 'take': write Page.of_class.cell.take()"),
    ("page.per_args.override(1)", AttributeError, "write obj.per_args.cell(...).override(value)"),
    ("Page.per_args.take()", AttributeError, "Page.per_args.cell(...).take()"),
    # A cell that is full is named.
    ("cell_of(Page, 'shared').set(1)", RuntimeError, "the cell of {}Page.shared() already holds a 'list'"),
    ("cell_of(settings, 'SETTINGS').set(1)", RuntimeError, "the cell of {}load() already holds a 'dict'"),
    ("cell_of(settings, 'LOCKED').set(1)", RuntimeError, "the cell of {}load() already holds a 'dict'"),
    # Options that do not exist.
    ("once_property(ttl=3)", TypeError, "once_property.__init__() got an unexpected keyword argument 'ttl'"),
    ("ThreadOnceCell(value=3)", TypeError, "ThreadOnceCell() got an unexpected keyword argument 'value'"),
    ("OnceLock(ttl=3)", TypeError, "OnceLock() got an unexpected keyword argument 'ttl': it takes timeout"),
    # The interpreter's own errors show the same names for both implementations.
    ("len(Page.per_args)", TypeError, "'OncePerArgs'"),
    # `cell` is a method.
    ("get_client.cell.override('eu', 1)", TypeError, "write f.cell(...).override(value)"),
    ("get_client.cell.take()", TypeError, "write f.cell(...).take()"),
    ("page.per_args.cell.set(1)", TypeError, "write f.cell(...).set(value)"),
    # They empty all.
    ("get_client.take_all('eu')", TypeError, "for some arguments, write {}get_client.cell(...).take()"),
    ("get_client.cache_clear(region='eu')", TypeError, "cache_clear() takes no arguments"),
    ("page.per_args.take_all(1)", TypeError, "write obj.per_args.cell(...).take()"),
    ("page.per_args.cache_clear(1)", TypeError, "write obj.per_args.cell(...).take()"),
]


@pytest.mark.parametrize(("code", "error", "says"), FIRST_ATTEMPTS, ids=[code for code, *_ in FIRST_ATTEMPTS])
def test_an_error_says_what_to_write(its_name: dict[str, Any], code: str, error: type[Exception], says: str) -> None:
    # The functions are local, so their qualified names begin with that of the fixture.
    pattern = re.escape(says).replace(r"\{\}", r"[\w.<>]*")
    with pytest.raises(error, match=pattern):
        eval(code, its_name)


def test_a_method_of_the_cell_is_not_there(its_name: dict[str, Any]) -> None:
    """`hasattr` says so, and an attribute of the function with such a name is found."""
    get_url, page = its_name["get_url"], its_name["page"]
    assert not hasattr(get_url, "override")
    assert not hasattr(page.method, "take")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        get_url.nothing
    get_url.take = "mine"
    assert get_url.take == "mine"
    assert not isinstance(its_name["get_client"].cell, importlib.import_module("gilonce").Cell)


def test_the_attributes_of_the_function_come_first(gilonce: ModuleType) -> None:
    class Factory:
        get = "mine"

        def __call__(self) -> str:
            return "value"

    assert gilonce.once(Factory()).get == "mine"
    assert gilonce.once_per_args(Factory()).get == "mine"


def test_signatures_show_no_trace_of_it(its_name: dict[str, Any]) -> None:
    assert str(inspect.signature(its_name["cell_of"])) == "(owner, name, /)"
    assert its_name["cell_of"].__module__ == "gilonce"
    assert its_name["cell_of"].__doc__.startswith("Return the cell behind an attribute")
    assert list(inspect.signature(its_name["reset"]).parameters) == []
    for bound in (its_name["get_client"], its_name["page"].per_args):
        for name in ("take_all", "cache_clear"):
            method = getattr(bound, name)
            assert list(inspect.signature(method).parameters) == []
            assert method.__name__ == name
            assert method.__doc__.startswith("Empty the cells of")


def test_the_first_attempts_that_are_right_work(its_name: dict[str, Any]) -> None:
    get_url, get_client, page = its_name["get_url"], its_name["get_client"], its_name["page"]
    with get_url.cell.override("fake"), get_client.cell("eu").override("fake"):
        assert get_url() == get_client("eu") == "fake"
    with its_name["cell_of"](page, "words").override(["fake"]):
        assert page.words == ["fake"]
    with page.method.cell.override(["fake"]), page.per_args.cell(1).override(["fake"]):
        assert page.method() == page.per_args(1) == ["fake"]
    get_url()
    its_name["reset"]()
    assert not get_url.cell.is_set()
