"""The package as a whole: its names, its documentation, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import run_python

ROOT = Path(__file__).parent.parent

NAMES = [
    "AlreadySetError",
    "Cell",
    "DeadlockError",
    "GILOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "lazy_global",
    "once",
    "once_property",
]


def test_these_names_are_public_and_no_others(gilonce: ModuleType) -> None:
    """The names of the design, and the two about the package itself."""
    for name in NAMES:
        assert getattr(gilonce, name).__name__ == name
    assert set(gilonce.__all__) == {*NAMES, "__version__", "__implementation__"}
    assert {name for name in vars(gilonce) if not name.startswith("_")} == set(NAMES)
    assert {name for name in dir(gilonce) if not name.startswith("_")} == set(NAMES)
    with pytest.raises(AttributeError, match="module 'gilonce' has no attribute 'Once'"):
        _ = gilonce.Once


def test_other_cells_are_imported_when_they_are_asked_for(gilonce: ModuleType) -> None:
    """Who does not use them does not pay for them; `dir` has them all the same, and `import *` gets them."""
    source = """
import sys, gilonce
rooms = {f"gilonce._{room}" for room in ("lock", "waits", "fork", "chosen", "per_thread", "per_process")}
print(len(rooms & sys.modules.keys()), "OnceLock" in dir(gilonce), "OnceLock" in vars(gilonce))
from gilonce import *
print(len(rooms & sys.modules.keys()), "OnceLock" in vars(gilonce), OnceLock().get())
"""
    assert run_python(gilonce, "-c", source) == "0 True False\n5 True None\n"


@pytest.mark.parametrize("avoided", ["wrapt", "asyncio", "inspect", "importlib.metadata", "typing", "functools"])
def test_importing_it_imports_nothing_heavy(gilonce: ModuleType, avoided: str) -> None:
    """A laziness library must not charge for what is not used yet."""
    source = f"import sys; before = set(sys.modules); import gilonce; print({avoided!r} in set(sys.modules) - before)"
    assert run_python(gilonce, "-c", source) == "False\n"


def test_no_cell_needs_ctypes(gilonce: ModuleType) -> None:
    """Python may be built without it, and it does not load in every interpreter."""
    source = """
import sys
sys.modules["ctypes"] = None
from gilonce import ProcessOnceCell
print(ProcessOnceCell().get_or_init(int))
from gilonce._per_process import keep_for_ever
keep_for_ever([])
"""
    assert run_python(gilonce, "-c", source) == "0\n"


def test_wrapt_is_imported_by_the_first_lazy_global_and_not_before(gilonce: ModuleType) -> None:
    """Who only wants @once never pays for the proxy."""
    source = """
import sys
from gilonce import GILOnceCell, lazy_global, once, once_property
once(lambda: 1)(); once_property(lambda self: 1); GILOnceCell().get_or_init(list)
print("wrapt" in sys.modules)
lazy_global(list)
print("wrapt" in sys.modules)
"""
    assert run_python(gilonce, "-c", source) == "False\nTrue\n"


def test_the_version_stands_in_one_place(gilonce: ModuleType) -> None:
    """The metadata take it from the package."""
    from importlib.metadata import version

    assert version("gilonce") == gilonce.__version__
    assert gilonce.__version__ not in (ROOT / "pyproject.toml").read_text()


def test_every_example_in_a_docstring_runs(gilonce: ModuleType) -> None:
    """Each public name documents itself with an example, and each example is true."""
    attempted = {}
    for module in [*pkgutil.iter_modules(gilonce.__path__, "gilonce.")]:
        if module.name != "gilonce.__main__":
            result = doctest.testmod(importlib.import_module(module.name))
            assert result.failed == 0
            attempted[module.name] = result.attempted
    for name in ("_cell", "_once", "_property", "_global", "_lock", "_per_thread", "_per_process", "_protocol"):
        assert attempted[f"gilonce.{name}"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_public_docstring_says_what_must_be_known(gilonce: ModuleType, name: str) -> None:
    """Parameters, results, errors, the source of the idea, and an example."""
    documentation = getattr(gilonce, name).__doc__
    assert ">>> " in documentation
    assert re.search("pyo3|Rust", documentation)
    if name not in ("Cell", "DeadlockError"):
        assert "Parameters:" in documentation
        if name != "AlreadySetError":
            assert "Raises:" in documentation
            assert re.search("per (process|thread)", documentation)


def test_only_the_proxies_rooms_import_wrapt(gilonce: ModuleType) -> None:
    """Two rooms know wrapt, and the surfaces know no other surface."""
    sources = {path.stem: path.read_text() for path in (ROOT / "gilonce").glob("*.py")}
    assert {name for name, source in sources.items() if "import wrapt" in source or "from wrapt" in source} == {
        "_proxy",
        "_asking",
    }
    surfaces = {"_once", "_property", "_global"}
    for name in surfaces:
        for other in surfaces - {name}:
            assert f"from .{other} " not in sources[name]


def test_the_switch_interval_of_the_tests_is_short() -> None:
    """Races are run with threads that switch all the time."""
    assert sys.getswitchinterval() < 1e-4


@pytest.fixture
def import_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ModuleType, str], Any]]:
    """A function that imports the package again, beside what is to be its native core."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "gilonce"}

    def anew(core: ModuleType, pure: str) -> Any:
        for name in before:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "gilonce._native", core)
        monkeypatch.setenv("GILONCE_PURE_PYTHON", pure)
        return importlib.import_module("gilonce")

    yield anew
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        del sys.modules[name]


def test_a_core_that_cannot_be_loaded_is_an_error(import_anew: Any) -> None:
    """Who has built it is not to be served by Python without a word."""
    with pytest.raises(ImportError, match="take_over"):
        import_anew(ModuleType("gilonce._native"), "")


def test_python_serves_where_it_is_asked_for(import_anew: Any) -> None:
    """With the core at hand, too: by an environment variable."""
    core = ModuleType("gilonce._native")
    core.take_over = lambda reference: pytest.fail("must not be asked")  # type: ignore[attr-defined]
    assert import_anew(core, "1").__implementation__ == "python"


def test_a_core_that_is_there_is_asked(import_anew: Any) -> None:
    """Where it can be loaded, and nobody wants Python: for all that it may put in the place of."""
    core = ModuleType("gilonce._native")
    taken: list[object] = []
    core.take_over = lambda reference: taken.append(reference) or reference  # type: ignore[attr-defined]
    package = import_anew(core, "")
    assert package.__implementation__ == "native"
    assert {package.GILOnceCell, package.once_property} <= {*taken}
