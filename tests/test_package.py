"""The package as a whole: its names, its documentation, and what importing it costs."""

from __future__ import annotations

import contextlib
import copy
import doctest
import importlib
import inspect
import operator
import pickle
import pkgutil
import pydoc
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import run_python

ROOT = Path(__file__).parent.parent

#: The modules of the surfaces.
MODULES_OF_SURFACES = ("once", "once_per_args", "once_property", "lazy_global")

NAMES = [
    "AlreadySetError",
    "Cell",
    "DeadlockError",
    "GILOnceCell",
    "LoopOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "cell_of",
    "lazy_global",
    "once",
    "once_per_args",
    "once_property",
]


def test_these_names_are_public_and_no_others(gilonce: ModuleType) -> None:
    """The names of the design, and the two about the package itself."""
    for name in NAMES:
        assert getattr(gilonce, name).__name__ == name
    assert set(gilonce.__all__) == {*NAMES, "__version__", "__implementation__"}
    # The public modules are there once they are imported.
    modules = {"testing", "pytest_plugin"}
    # pytest puts names with "@" into the modules of a package with a plugin.
    hidden = ("_", "@")
    assert {name for name in vars(gilonce) if not name.startswith(hidden)} - modules == set(NAMES)
    assert {name for name in dir(gilonce) if not name.startswith(hidden)} - modules == set(NAMES)
    with pytest.raises(AttributeError, match="module 'gilonce' has no attribute 'Once'"):
        _ = gilonce.Once


def test_other_cells_are_imported_when_they_are_asked_for(gilonce: ModuleType) -> None:
    """Programs that do not use them do not pay for them. `dir` lists them all the same, and `import *` gets them."""
    source = """
import sys, gilonce
names = ("exclusive", "wait_graph", "fork", "per_thread", "per_loop", "per_process")
modules = {"gilonce._storage.cell_option", *(f"gilonce._cells.{name}" for name in names)}
print(len(modules & sys.modules.keys()), "OnceLock" in dir(gilonce), "OnceLock" in vars(gilonce))
from gilonce import *
print(len(modules & sys.modules.keys()), "OnceLock" in vars(gilonce), OnceLock().get())
"""
    assert run_python(gilonce, "-c", source) == "0 True False\n6 True None\n"


@pytest.mark.parametrize(
    "avoided", ["wrapt", "asyncio", "inspect", "importlib.metadata", "typing", "functools", "reprlib"]
)
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
from gilonce._cells.per_process import keep_for_ever
keep_for_ever([])
"""
    assert run_python(gilonce, "-c", source) == "0\n"


def test_wrapt_is_imported_by_the_first_lazy_global_and_not_before(gilonce: ModuleType) -> None:
    """A program that only uses @once never pays for the proxy."""
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


def test_the_source_distribution_has_every_file_of_the_core() -> None:
    """setuptools packs the one source, and besides it only what `depends` names."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folder = ROOT / "gilonce" / "_native"
    files = {f"gilonce/_native/{path.name}" for path in folder.iterdir() if path.suffix in (".c", ".h")}
    assert set(re.findall(r'"(gilonce/_native/\w+\.[ch])"', text)) == files


def test_every_example_in_a_docstring_runs(gilonce: ModuleType) -> None:
    """Each public name documents itself with an example, and each example is true."""
    # One of them resets all values, and those that other tests have left are not this test's.
    importlib.import_module("gilonce._cells.registry")._registered.clear()
    for module in pkgutil.walk_packages(gilonce.__path__, "gilonce."):
        if module.name not in ("gilonce.__main__", "gilonce._native.core"):
            assert doctest.testmod(importlib.import_module(module.name)).failed == 0
    # All public names say that they are the package's, so they are not found in their modules.
    runner = doctest.DocTestRunner()
    for public in NAMES:
        it = getattr(gilonce, public)
        tests = doctest.DocTestFinder().find(
            it, public, module=False, globs={public: it, "GILOnceCell": gilonce.GILOnceCell}
        )
        attempted = 0
        for test in tests:
            result = runner.run(test)
            assert result.failed == 0
            attempted += result.attempted
        assert attempted > 0, public


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_says_that_it_is_the_packages(gilonce: ModuleType, name: str) -> None:
    """Tracebacks, `help()` and pickles show `gilonce.X`, where a user finds it, and no module of ours."""
    it = getattr(gilonce, name)
    assert it.__module__ == "gilonce"
    assert it.__qualname__ == it.__name__ == name
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(it, protocol)) is it
    assert copy.deepcopy(it) is it
    if isinstance(it, type):
        assert repr(it) == f"<class 'gilonce.{name}'>"


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_no_annotations_in_quotes(gilonce: ModuleType, name: str) -> None:
    """The types are in the stub. Here they are strings, which are hard to read in a signature."""
    it = getattr(gilonce, name)
    functions = (
        [it]
        if not isinstance(it, type)
        else [getattr(it, method) for method in dir(it) if callable(getattr(it, method))]
    )
    for function in functions:
        with contextlib.suppress(TypeError, ValueError):  # it has no signature
            assert "'" not in re.sub(r"='\w*'", "", str(inspect.signature(function)))
    assert "__annotations__" not in pydoc.render_doc(it)


def test_help_shows_no_annotations_of_methods_of_decorated_functions_in_quotes(gilonce: ModuleType) -> None:
    """Nor those of `gilonce.testing`."""
    testing = importlib.import_module("gilonce.testing")

    class Page:
        @gilonce.once_per_args
        def words(self, language: str) -> None: ...

        @gilonce.once
        def title(self) -> None: ...

    @gilonce.once_per_args
    def page(number: int) -> None: ...

    @gilonce.once
    def index() -> None: ...

    decorated = page, Page().words, index, Page().title
    methods = [getattr(it, name) for it in decorated[:2] for name in ("cell", "take_all", "cache_clear")]
    methods += [it.cache_clear for it in decorated[2:]]
    for method in methods:
        with contextlib.suppress(ValueError):  # it has no signature
            assert "'" not in str(inspect.signature(method))
        assert "'" not in pydoc.plaintext.document(method)
    assert not re.search(
        r"(->|:) '", pydoc.plaintext.document(testing.isolated) + pydoc.plaintext.document(testing.reset)
    )


@pytest.mark.parametrize("name", NAMES)
def test_help_names_classes_that_exist(gilonce: ModuleType, name: str) -> None:
    """It says in which class a method is defined, if this is not the class that it shows."""
    it = getattr(gilonce, name)
    for cls in it.__mro__ if isinstance(it, type) else ():
        for function in vars(cls).values():
            # On PyPy, functions of the interpreter have no module.
            if inspect.isfunction(function) and (function.__module__ or "").startswith("gilonce"):
                module = importlib.import_module(function.__module__)
                assert operator.attrgetter(function.__qualname__)(module)


def test_the_help_of_the_package_is_a_page_to_work_from(gilonce: ModuleType) -> None:
    """It names every surface and cell, and where to read on."""
    for name in NAMES:
        assert name in gilonce.__doc__ or name in ("AlreadySetError", "Cell", "DeadlockError")
    assert "help(gilonce.once)" in gilonce.__doc__
    assert gilonce.__doc__.splitlines()[0].endswith(".")


def test_errors_in_a_traceback_are_the_packages(gilonce: ModuleType) -> None:
    """The last line is what a user searches for, and catches."""
    cell = gilonce.OnceLock()
    cell.set(1)
    with pytest.raises(gilonce.AlreadySetError) as already:
        cell.set(2)
    cell.take()
    with pytest.raises(gilonce.DeadlockError) as deadlock:
        cell.get_or_init(lambda: cell.get_or_init(list))
    for error, name in ((already.value, "AlreadySetError"), (deadlock.value, "DeadlockError")):
        assert traceback.format_exception_only(error)[0].startswith(f"gilonce.{name}: ")
    again = pickle.loads(pickle.dumps(already.value))
    assert (type(again), again.value, str(again)) == (gilonce.AlreadySetError, 2, str(already.value))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["GILOnceCell", "OnceLock", "ThreadOnceCell", "ProcessOnceCell"])
def test_cells_are_still_pickled(gilonce: ModuleType, name: str, protocol: int) -> None:
    """By the public name of their class."""
    cell = getattr(gilonce, name)()
    cell.set("value")
    again = pickle.loads(pickle.dumps(cell, protocol))
    assert type(again) is type(cell)
    assert again.get() == ("value" if cell.final else None)


def module_that_defines(gilonce: ModuleType, name: str) -> ModuleType:
    """Return the module in which the class or function stands. Its `__module__` says `gilonce`."""
    [found] = [
        module.name
        for module in pkgutil.walk_packages(gilonce.__path__, "gilonce.")
        if re.match(r"gilonce\._(cells|surfaces)\.", module.name)
        and re.search(rf"^(class|def) {name}\b", inspect.getsource(importlib.import_module(module.name)), re.MULTILINE)
    ]
    return importlib.import_module(found)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_docstring_says_what_must_be_known(gilonce: ModuleType, name: str) -> None:
    """Parameters, results, errors and an example. The source of the idea is in the docstring of the module."""
    documentation = getattr(gilonce, name).__doc__
    assert ">>> " in documentation
    assert not re.search("pyo3|Rust", documentation)
    assert re.search("pyo3|Rust", module_that_defines(gilonce, name).__doc__ or "")
    if name not in ("Cell", "DeadlockError"):
        assert "Parameters:" in documentation
        if name != "AlreadySetError":
            assert "Raises:" in documentation
        # The cell that `cell_of` returns is of any kind.
        if name not in ("AlreadySetError", "cell_of"):
            assert re.search("per (process|thread|event loop)", documentation)


def test_only_the_modules_of_the_proxies_import_wrapt(gilonce: ModuleType) -> None:
    """Three modules import wrapt, and no surface imports another."""
    sources = {path.stem: path.read_text() for path in (ROOT / "gilonce").rglob("*.py")}
    assert {name for name, source in sources.items() if "import wrapt" in source or "from wrapt" in source} == {
        "proxy",
        "proxy_methods",
        "asking_proxy",
    }
    for name in MODULES_OF_SURFACES:
        for other in {*MODULES_OF_SURFACES} - {name}:
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
        monkeypatch.setitem(sys.modules, "gilonce._native.core", core)
        monkeypatch.setenv("GILONCE_PURE_PYTHON", pure)
        return importlib.import_module("gilonce")

    yield anew
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        del sys.modules[name]


def test_a_core_that_cannot_be_loaded_is_an_error(import_anew: Any) -> None:
    """If the core was built, Python must not replace it silently."""
    with pytest.raises(ImportError, match="replace"):
        import_anew(ModuleType("gilonce._native.core"), "")


def test_python_serves_where_it_is_asked_for(import_anew: Any) -> None:
    """With the core at hand, too: by an environment variable."""
    core = ModuleType("gilonce._native.core")
    core.replace = lambda reference: pytest.fail("must not be asked")  # type: ignore[attr-defined]
    assert import_anew(core, "1").__implementation__ == "python"


def test_a_core_that_is_there_is_asked(import_anew: Any) -> None:
    """If it can be loaded and Python is not asked for, it serves everything that it can replace."""
    core = ModuleType("gilonce._native.core")
    taken: list[object] = []
    core.replace = lambda reference: taken.append(reference) or reference  # type: ignore[attr-defined]
    package = import_anew(core, "")
    assert package.__implementation__ == "native"
    assert {package.GILOnceCell, package.once_property.__base__} <= {*taken}
