"""A proxy looks up nothing on its object but what its user asked for."""

from __future__ import annotations

import functools
import os
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import lookups, run_python

PRINT = """
import gilonce
from support import lookups
print(*lookups.all_differences(gilonce), sep="\\n")
"""


@pytest.mark.parametrize("wrapt", ["as it is", "in Python"])
def test_an_operation_looks_up_on_the_object_what_it_looks_up_without_a_proxy(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, wrapt: str
) -> None:
    """No name is asked of the object, or of its class, that the operation does not ask of the bare object.

    This holds for every operation, for objects that lack the special methods, that have them all, and that have
    an answer for every name; at the first touch and later; with a cell that is final and with one that is not.
    """
    if wrapt == "as it is":
        found = lookups.all_differences(gilonce)
    else:
        monkeypatch.setenv("WRAPT_DISABLE_EXTENSIONS", "1")
        monkeypatch.setenv("PYTHONPATH", str(Path(lookups.__file__).parents[1]), prepend=os.pathsep)
        found = run_python(gilonce, "-c", PRINT).splitlines()
    assert list(filter(None, found)) == []


def test_a_dict_with_attributes_can_be_touched(gilonce: ModuleType) -> None:
    """Such a dict has None for every name that it does not know, hooks of wrapt's included."""

    class Bag(dict[str, Any]):
        def __getattr__(self, name: str) -> Any:
            return self.get(name)

    config = gilonce.lazy_global(lambda: Bag(port=8080))
    assert config.port == 8080
    assert config.other is None


def test_no_name_of_wrapts_reaches_the_object(gilonce: ModuleType) -> None:
    """Names that wrapt uses for its proxies are missing, whatever the object would answer."""
    proxy = gilonce.lazy_global(lookups.Hungry)
    for name in "__wrapped_setattr_fixups_2__", "__self_setattr_2__":
        with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
            getattr(proxy, name)
    with pytest.raises(TypeError, match="can't delete __wrapped__"):
        del proxy.__wrapped__
    proxy._self_mine = 1
    del proxy._self_mine
    assert proxy._self_mine is None  # the object's answer
    assert getattr(proxy, "\udc80é") is None


def test_a_database_driver_gets_the_object(gilonce: ModuleType) -> None:
    """Drivers ask a parameter of unknown type for `__conform__`: it gives what their adapter gives for the object."""
    database = sqlite3.connect(":memory:")

    class Point:
        def __conform__(self, protocol: object) -> str:
            return "1;2"

    for value in (1, 2.5, "text", b"bytes"):
        assert database.execute(
            "SELECT ?", (gilonce.lazy_global(functools.partial(type(value), value)),)
        ).fetchone() == (value,)
    assert database.execute("SELECT ?", (gilonce.lazy_global(Point),)).fetchone() == ("1;2",)
    assert gilonce.lazy_global(lambda: "text").__conform__(Point) == "text"
    database.close()
