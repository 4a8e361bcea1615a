"""lazy_global: the first touch replaces the name in the modules that hold the proxy."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import itertools
import sys
import sysconfig
import textwrap
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import run_threads

serial = itertools.count()


@pytest.fixture
def imported(gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Any]:
    """A function that makes and imports a module from its source."""
    names = []

    def make(source: str) -> ModuleType:
        names.append(f"lazy_in_a_module_{next(serial)}")
        (tmp_path / f"{names[-1]}.py").write_text("from gilonce import lazy_global\n" + textwrap.dedent(source))
        importlib.invalidate_caches()  # the folder may not look newer than at the import before
        return __import__(names[-1])

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    for name in names:
        del sys.modules[name]


def test_the_first_touch_replaces_the_name_in_its_module(imported: Any) -> None:
    """The module's own code and `module.X` then have the real object; an earlier import the proxy."""
    module = imported(
        """
        X: list = lazy_global(lambda: [1])
        ALIAS = X
        def use(): return X[0]
        """
    )
    held = module.X
    assert type(held) is not list
    assert module.use() == 1
    assert type(module.X) is list
    assert module.ALIAS is module.X is held.__wrapped__
    assert type(held) is not list
    assert held == [1]


def test_a_name_rebound_meanwhile_is_left_alone(imported: Any) -> None:
    """Only where the proxy still stands does the real object take its place."""
    module = imported("X = Y = lazy_global(lambda: [1])")
    held = module.X
    module.X = "rebound"
    assert held == [1]
    assert module.X == "rebound"
    assert type(module.Y) is list


def test_another_lazy_global_of_the_module_stays_untouched(imported: Any) -> None:
    """Only the names of the touched one are replaced."""
    module = imported("X, Y = lazy_global(lambda: [1]), lazy_global(lambda: [2])")
    assert module.X == [1]
    assert "not yet called" in repr(module.Y)
    assert module.Y == [2]


def test_a_name_rebound_while_names_are_replaced_is_left_alone(gilonce: ModuleType) -> None:
    """Each name is looked at again just before it is replaced, and may be gone."""

    class Rebinding(dict[str, Any]):
        def copy(self) -> dict[str, Any]:
            seen = dict(self)
            self["REBOUND"] = "rebound"
            del self["DELETED"]
            return seen

    proxy = gilonce.lazy_global(lambda: [1])
    namespace = Rebinding(REBOUND=proxy, DELETED=proxy, KEPT=proxy)
    proxy._self_origin = *proxy._self_origin[:2], namespace, None
    assert proxy == [1]
    assert namespace == {"REBOUND": "rebound", "KEPT": [1]}
    assert type(namespace["KEPT"]) is list


def test_a_module_may_grow_while_names_are_replaced(gilonce: ModuleType) -> None:
    """The names are those of one moment."""

    class Growing(dict[str, Any]):
        def __setitem__(self, name: str, value: object) -> None:
            super().__setitem__(name, value)
            super().__setitem__(f"{name} again", value)

    proxy = gilonce.lazy_global(lambda: [1])
    namespace = Growing(A=proxy, B=proxy)
    proxy._self_origin = *proxy._self_origin[:2], namespace, None
    assert proxy == [1]
    assert [type(value) for value in namespace.values()] == [list] * 4


def test_an_interrupted_reification_is_made_up_for_by_the_next_touch(gilonce: ModuleType) -> None:
    """The proxy counts as touched only after its names were replaced."""

    class Interrupting(dict[str, Any]):
        interrupted = False

        def copy(self) -> dict[str, Any]:
            if not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return dict(self)

    proxy = gilonce.lazy_global(lambda: [1])
    namespace = Interrupting(X=proxy)
    proxy._self_origin = *proxy._self_origin[:2], namespace, None
    with pytest.raises(KeyboardInterrupt):
        len(proxy)
    assert len(proxy) == 1
    assert type(namespace["X"]) is list


def test_a_name_is_known_after_each_of_two_interrupts(gilonce: ModuleType) -> None:
    """An interrupt between two writes leaves a name that gilonce has replaced, and that it replaces again."""
    namespace: Any = {"gilonce": gilonce}
    exec("X = gilonce.lazy_global(lambda: [1])\nPROXY = [X]\nbool(X)", namespace)
    (proxy,) = namespace["PROXY"]
    ((_, name, value, _),) = proxy._self_names.values()
    rebind = importlib.import_module("gilonce._surfaces.global_cell")._rebind
    left = 0

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    class Entry(list[Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            count()
            super().__setitem__(key, value)

    class Namespace(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            count()
            super().__setitem__(key, value)

    for writes in itertools.product(range(5), repeat=2):
        entry = Entry([Namespace({name: value}), name, value, value])
        for allowed, target in zip(writes, ("first", "second"), strict=True):
            left = allowed
            with contextlib.suppress(KeyboardInterrupt):
                rebind(entry, proxy, target)
        left = 100
        rebind(entry, proxy, value)
        assert entry[0] == {name: value}, writes


@pytest.mark.parametrize(
    "source",
    [
        "X = lazy_global(lambda: [1], reify=False)",
        "def make(): return lazy_global(lambda: [1])\nX = make()",
        "class C:\n    X = lazy_global(lambda: [1])\nX = vars(C)['X']",
        "X = (lambda: lazy_global(lambda: [1]))()",
    ],
)
def test_a_proxy_that_is_not_made_at_module_level_stays(imported: Any, source: str) -> None:
    """In a function or a class body, or with `reify=False`, names keep the proxy."""
    module = imported(source)
    assert module.X == [1]
    assert type(module.X) is not list


def test_the_real_object_stands_in_the_module_when_threads_race(imported: Any) -> None:
    """All threads, and the module afterwards, have one object."""
    module = imported("X = lazy_global(object)")
    got = run_threads(*[lambda: module.X] * 2, *[lambda: module.X.__hash__()] * 6)
    assert type(module.X) is object
    assert {getattr(it, "__wrapped__", it) for it in got[:2]} == {module.X}


def test_modules_that_imported_the_name_get_the_object(imported: Any) -> None:
    """Wherever they were, and under whatever name of the defining module's they hold it."""
    module = imported("X = lazy_global(lambda: [1])\nALIAS = X")
    source = f"from {module.__name__} import X, ALIAS\nfrom {module.__name__} import X as OTHER\nheld = [X]"
    importer = imported(source)
    assert importer.X == [1]
    assert type(importer.X) is type(importer.ALIAS) is list
    assert importer.X is importer.ALIAS is module.X
    # Under another name, or elsewhere, there still is the proxy.
    assert type(importer.OTHER) is type(importer.held[0]) is not list
    assert importer.OTHER.__wrapped__ is module.X


def test_a_name_that_an_importer_rebound_is_left_alone(imported: Any) -> None:
    """Only where the proxy still stands does the object replace it."""
    module = imported("X = lazy_global(lambda: [1])\nY = lazy_global(lambda: [2])")
    importer = imported(f"from {module.__name__} import X, Y")
    importer.X = "rebound"
    assert module.X == [1]
    assert importer.X == "rebound"
    assert "not yet called" in repr(importer.Y)


def test_reification_passes_over_what_is_no_plain_module(imported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs no code of others: None, lazily loaded modules and other objects in `sys.modules` are not asked."""

    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"asked for {name}")

    class Anything:
        __class__ = ModuleType  # type: ignore[assignment]

        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"asked for {name}")

    module = imported("X = lazy_global(lambda: [1])")
    importer = imported(f"from {module.__name__} import X")
    for it in (None, Lazy("lazy"), Anything(), 7):
        monkeypatch.setitem(sys.modules, f"no_plain_module_{id(it)}", it)
    assert module.X == [1]
    assert type(importer.X) is list


@pytest.mark.skipif(
    not hasattr(sys, "getrefcount") or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="reference counts do not tell who holds an object here",
)
def test_no_module_is_looked_at_where_the_defining_one_alone_has_the_proxy(
    imported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy's reference count says that no other module has imported it."""
    looked_at: list[ModuleType] = []
    reification = importlib.import_module("gilonce._surfaces.reification")
    entries = reification.module_entries
    monkeypatch.setattr(reification, "module_entries", lambda it: looked_at.append(it) or entries(it))
    module = imported("X = Y = lazy_global(lambda: [1])\ndef use(): return len(X)")
    assert module.use() == 1
    assert type(module.Y) is list
    assert looked_at == []
    module = imported("X = Y = lazy_global(lambda: [1])\ndef use(): return len(X)")
    held = module.X
    assert module.use() == 1
    assert looked_at
    assert held == [1]


def test_every_module_is_looked_at_where_references_are_not_counted(
    imported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GIL, and on PyPy, a reference count says nothing."""
    monkeypatch.setattr(importlib.import_module("gilonce._surfaces.reification"), "_COUNTS", False)
    module = imported("X = lazy_global(lambda: [1])")
    importer = imported(f"from {module.__name__} import X")
    assert module.X == [1]
    assert type(importer.X) is list
