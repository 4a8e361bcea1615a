"""What other libraries find when they look at a `once_property`, as at a `functools.cached_property`."""

from __future__ import annotations

import _thread
import copy
import functools
import inspect
import operator
import subprocess
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support import WATCHDOG, environment


def test_the_func_of_a_property_looks_like_the_function(gilonce: ModuleType) -> None:
    """`.func` has the function's name, signature, annotations and attributes."""

    def value(self: object) -> list[int]:
        """The docstring."""
        return [1]

    value.mark = "marked"  # type: ignore[attr-defined]

    class Plain:
        attribute = gilonce.once_property(value)

    func = Plain.attribute.func
    assert func is Plain.attribute.func
    assert func.__wrapped__ is inspect.unwrap(func) is value
    assert inspect.signature(func) == inspect.signature(value)
    assert inspect.isfunction(func)
    for name in "__name__", "__qualname__", "__doc__", "__module__", "__annotations__", "__code__", "mark":
        assert getattr(func, name) == getattr(value, name)
    assert repr(func) == repr(value)
    func.mark = "again"
    assert value.mark == "again"  # type: ignore[attr-defined]
    assert copy.copy(func) is value
    assert func(Plain()) == [1]
    assert func(self=Plain()) == [1]
    assert vars(Plain()) == {}
    assert type("Other", (), {"method": func})().method() == [1]
    assert functools.wraps(func)(lambda self: None).__name__ == "value"
    with pytest.raises(TypeError):
        func()
    Plain.attribute.func = len
    assert Plain.attribute.func.__wrapped__ is len
    assert not inspect.isfunction(Plain.attribute.func)


def test_pydantic_finds_the_function(gilonce: ModuleType) -> None:
    """It unwraps a `cached_property` only, and looks for the return type, whatever the property stores where."""
    names: dict[str, Any] = {"__name__": "pydantic._internal._decorators"}
    exec("def is_unwrapped(it, cls): return isinstance(it, cls)", names)

    def function(it: object) -> int:
        return 1

    for prop in (
        gilonce.once_property(function),
        gilonce.once_property(classmethod(function)),
        gilonce.once_property(staticmethod(lambda: 1)),
        gilonce.once_property(function, cell=gilonce.ThreadOnceCell),
    ):
        assert names["is_unwrapped"](prop, functools.cached_property)
        assert inspect.unwrap(prop.func) is prop._function
    assert not isinstance(gilonce.once_property(classmethod(function)), functools.cached_property)


def test_a_tool_is_known_by_the_name_of_its_module(gilonce: ModuleType) -> None:
    """Or by its specification: `python -m pydoc` runs as `__main__`, and so does every other program."""

    class Owner:
        @gilonce.once_property
        @classmethod
        def of_class(cls) -> int:
            return 3

    names: dict[str, Any] = {"__name__": "__main__", "__spec__": SimpleNamespace(name="pydoc")}
    exec("def read(cls): return cls.of_class", names)
    assert names["read"](Owner) is vars(Owner)["of_class"]
    names["__name__"] = "sphinx.ext.autosummary"
    assert names["read"](Owner) is vars(Owner)["of_class"]
    names["__name__"] = "__main__"
    names["__spec__"] = None  # of a program that is run by its path
    assert names["read"](Owner) == 3


def test_a_property_says_what_it_is_like(gilonce: ModuleType) -> None:
    """Where the value is, and whether a library may keep it elsewhere, decides about `__class__`."""
    plain = gilonce.once_property(len)
    assert isinstance(plain, functools.cached_property)
    assert isinstance(plain, gilonce.once_property)

    async def later(self: object) -> None:
        pass

    others = [
        gilonce.once_property(len, slot="_x"),
        gilonce.once_property(later),
        gilonce.once_property(classmethod(len)),
        gilonce.once_property(staticmethod(list)),
        gilonce.once(list),
        gilonce.once_per_args(len),
    ]
    for other in others:
        assert not isinstance(other, functools.cached_property)
        assert isinstance(other, other.__class__)
        assert other.__class__.__module__ == "functools"
    for prop in others[:4]:
        assert isinstance(prop, gilonce.once_property)
        assert prop.func is prop.func

    class Both(gilonce.once_property, property):  # type: ignore[misc, name-defined]
        pass

    assert Both(len).__class__ is Both
    assert Both(len).func is len


def test_a_property_can_replace_cached_property(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """pydantic asks for a class of functools even where a program has replaced `functools.cached_property`."""

    class Noted(gilonce.once_property):  # type: ignore[misc, name-defined]
        pass

    def function(self: object) -> None:
        pass

    prop = gilonce.once_property(len)
    for replacement in gilonce.once_property, function:
        monkeypatch.setattr(functools, "cached_property", replacement)
        for made in prop, Noted(len):
            assert made.__class__.__module__ == "functools"
            assert isinstance(made, made.__class__)
            assert isinstance(made, gilonce.once_property)
    # A class of another library is still the answer, so that the property is an instance of it.
    monkeypatch.setattr(functools, "cached_property", Noted)
    assert isinstance(prop, Noted)
    assert prop.__class__ is Noted


def test_the_class_of_a_property_can_be_assigned(gilonce: ModuleType) -> None:
    class Noted(gilonce.once_property):  # type: ignore[misc, name-defined]
        note = "noted"

    prop = gilonce.once_property(len)
    prop.__class__ = Noted
    assert type(prop) is Noted
    assert prop.note == "noted"
    assert isinstance(prop, functools.cached_property)


def test_dir_shows_what_a_property_has(gilonce: ModuleType) -> None:
    prop = gilonce.once_property(len)
    prop.mark = 1
    assert {"mark", "func", "attrname", "__set_name__", "__reduce_ex__"} <= set(dir(prop))
    assert "lock" not in dir(prop)


def test_without_functools_a_property_is_itself(gilonce: ModuleType) -> None:
    """Nothing is imported only to look like something in it."""
    program = """
import sys, gilonce
functools = sys.modules.pop("functools", None)
prop = gilonce.once_property(list)
assert prop.__class__ is type(prop) is gilonce.once_property, prop.__class__
assert "functools" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], env=environment(gilonce.__implementation__), check=True)


def test_a_thread_whose_first_function_is_in_c_may_touch_a_lazy_global(gilonce: ModuleType) -> None:
    """The search for the caller comes to the end of the stack, and finds none."""
    done = threading.Event()

    def make() -> list[str]:
        done.set()
        return []

    proxy = gilonce.lazy_global(make, reify=False)
    _thread.start_new_thread(operator.truth, (proxy,))
    assert done.wait(WATCHDOG)


def test_a_subclass_with_a_setter_of_its_own_can_make_another_of_itself(gilonce: ModuleType) -> None:
    """As kombu's `cached_property` does, a subclass of that of functools."""

    class Settable(gilonce.once_property):  # type: ignore[misc,name-defined]
        def __init__(self, function: Any, fset: Any = None) -> None:
            super().__init__(function)
            self.fset = fset

        def __set__(self, instance: Any, value: object) -> None:
            instance.__dict__[self.attrname] = self.fset(instance, value)

        def setter(self, fset: Any) -> Any:
            return self.__class__(self.func, fset)

    class Owner:
        @Settable
        def value(self) -> object:
            return "computed"

        @value.setter
        def value(self, value: object) -> object:
            return [value]

    owner = Owner()
    assert owner.value == "computed"
    owner.value = 1
    assert owner.value == [1]
    assert vars(Owner)["value"].__class__ is Settable
