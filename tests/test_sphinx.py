"""The Sphinx extension, with a stand-in for Sphinx. `ecosystem/test_sphinx.py` builds documentation with Sphinx."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def safe_getattr(it: Any, name: str, *default: Any) -> Any:
    """Read as Sphinx does."""
    try:
        return getattr(it, name, *default)
    except Exception as error:
        raise AttributeError(name) from error


class Application:
    """What an extension sees of Sphinx."""

    def __init__(self) -> None:
        self.extensions: list[str] = []
        self.registry = SimpleNamespace(autodoc_attrgetters={})

    def setup_extension(self, name: str) -> None:
        self.extensions.append(name)

    def add_autodoc_attrgetter(self, cls: type, getter: Any) -> None:
        self.registry.autodoc_attrgetters[cls] = getter


class Sphinx:
    """The modules of Sphinx that matter, and an application with the extension."""

    def __init__(self, gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch, app: Application) -> None:
        self.app = app
        for name in "sphinx.util.inspect", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.other":
            module: Any = ModuleType(name)
            module.safe_getattr = safe_getattr
            monkeypatch.setitem(sys.modules, name, module)
        empty = ModuleType("sphinx.ext.autodoc.nothing_to_replace")
        monkeypatch.setitem(sys.modules, empty.__name__, empty)
        self.metadata = importlib.import_module("gilonce.sphinx").setup(app)
        #: How autodoc reads from a module that it goes through.
        self.read: Any = sys.modules["sphinx.ext.autodoc"].safe_getattr  # type: ignore[attr-defined]

    def get(self, it: Any, name: str, *default: Any) -> Any:
        """Read an attribute as autodoc reads those of classes, and of what it imports."""
        for cls, getter in self.app.registry.autodoc_attrgetters.items():
            if isinstance(it, cls):
                return getter(it, name, *default)
        return self.read(it, name, *default)


@pytest.fixture
def sphinx(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Sphinx:
    return Sphinx(gilonce, monkeypatch, Application())


def fail(*_: object) -> Any:
    raise AssertionError("computed")


def test_the_extension_says_what_sphinx_asks(gilonce: ModuleType, sphinx: Sphinx) -> None:
    assert sphinx.metadata["version"] == gilonce.__version__
    assert sphinx.metadata["parallel_read_safe"]
    assert sphinx.app.extensions == ["sphinx.ext.autodoc"]
    for name, is_replaced in ("autodoc", True), ("autosummary", True), ("other", False):
        module: Any = sys.modules[f"sphinx.ext.{name}"]
        assert (module.safe_getattr is not safe_getattr) is is_replaced


@pytest.mark.parametrize("name", ["of_class", "of_all", "later", "in_slot", "plain"])
def test_a_property_is_one_for_autodoc(gilonce: ModuleType, sphinx: Sphinx, name: str) -> None:
    """It has the function and the docstring, and it is not computed, in a subclass neither."""

    class Owner:
        __slots__ = ("__dict__", "_x")

        @gilonce.once_property
        @classmethod
        def of_class(cls) -> int:
            """The docstring."""
            return fail()

        @gilonce.once_property
        @staticmethod
        def of_all() -> int:
            """The docstring."""
            return fail()

        @gilonce.once_property
        async def later(self) -> int:
            """The docstring."""
            return fail()

        @gilonce.once_property(slot="_x")
        def in_slot(self) -> int:
            """The docstring."""
            return fail()

        @gilonce.once_property
        def plain(self) -> int:
            """The docstring."""
            return fail()

    class Sub(Owner):
        pass

    for cls in Owner, Sub:
        found = sphinx.get(cls, name)
        assert type(found) is property
        assert found.__doc__ == "The docstring."
        assert found.fget is vars(Owner)[name]._function
        assert found.fget.__name__ == name


def test_other_attributes_are_read_as_always(gilonce: ModuleType, sphinx: Sphinx) -> None:
    class Both(gilonce.once_property, property):  # type: ignore[misc, name-defined]
        pass

    class Owner:
        number = 3
        both = Both(fail)

        @gilonce.once
        def method(self) -> int:
            return fail()

    assert sphinx.get(Owner, "number") == 3
    assert sphinx.get(Owner, "both") is vars(Owner)["both"]
    assert sphinx.get(Owner, "method") is vars(Owner)["method"]
    assert sphinx.get(Owner, "missing", "the default") == "the default"
    with pytest.raises(AttributeError):
        sphinx.get(Owner, "missing")
    assert sphinx.get("text", "upper")() == "TEXT"


def test_a_lazy_global_is_not_touched(gilonce: ModuleType, sphinx: Sphinx) -> None:
    """Wherever autodoc finds it, and whatever autodoc asks of it."""
    module: Any = ModuleType("documented")
    proxy = gilonce.lazy_global(fail, reify=False)
    module.CONFIG = proxy
    module.Owner = type("Owner", (), {"config": proxy, "__module__": "documented"})
    for found in sphinx.get(module, "CONFIG"), sphinx.read(module, "CONFIG", None), sphinx.get(module.Owner, "config"):
        assert repr(found) == repr(proxy)
        assert not isinstance(found, (type, ModuleType))
        assert not callable(found)
        assert sphinx.read(found, "__doc__") is None
        assert sphinx.read(found, "mark", "the default") == "the default"
    assert sphinx.read(proxy, "__doc__") is None
    assert sphinx.read(proxy, "__sphinx_mock__", False) is False
    assert "not yet called" in repr(proxy)


def test_a_getter_of_another_extension_is_still_asked(gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Application()
    app.add_autodoc_attrgetter(type, lambda cls, name, *default: ("another extension", name))
    sphinx = Sphinx(gilonce, monkeypatch, app)

    class Owner:
        value = gilonce.once_property(classmethod(fail))

    assert sphinx.get(Owner, "value").fget is fail
    assert sphinx.get(Owner, "number") == ("another extension", "number")


def test_before_the_first_lazy_global_nothing_is_one(
    gilonce: ModuleType, sphinx: Sphinx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "gilonce._surfaces.global_cell", raising=False)
    assert sphinx.get(sys, "version_info") is sys.version_info
