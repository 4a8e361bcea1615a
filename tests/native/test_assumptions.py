"""What the core relies on without a promise of CPython or wrapt, and what it does where that does not hold.

`gilonce/_native/assumptions.c` lists the assumptions. If the first test here fails on a new version of CPython or of
wrapt, the package still works, but slower: read how that version does what the failing assumption says.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import wrapt
from support import IMPLEMENTATIONS, environment

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

TESTS = Path(__file__).resolve().parents[1]
NEEDS_3_13T = pytest.mark.skipif(
    getattr(sys, "_is_gil_enabled", lambda: True)() or sys.version_info >= (3, 14),
    reason="only 3.13 without a GIL counts like this",
)

#: Loads the core alone, and makes it distrust an assumption before the package is imported.
DISTRUST = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("gilonce._native.core", {core!r})
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
core.distrust({assumption!r})
"""

#: Imports the package, whose core is another module object in the same library.
IMPORT = """
import gilonce
assert gilonce.__implementation__ == "native"
assert sys.modules["gilonce._native.core"].assumptions()[{assumption!r}] is False
"""


def run_without(assumption: str, source: str, first: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own whose core distrusts an assumption."""
    spec = find_spec("gilonce._native.core")
    assert spec is not None
    # The package comes last: pytest warns when it loads a plugin that was imported before.
    begin = DISTRUST.format(core=spec.origin, assumption=assumption) + first + IMPORT.format(assumption=assumption)
    return subprocess.run(
        [sys.executable, "-c", begin + source],
        env=environment("native"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_what_the_core_relies_on_holds_here(native: ModuleType) -> None:
    native.lazy_global(object)  # the assumption about wrapt is checked when wrapt is imported
    core: Any = sys.modules["gilonce._native.core"]
    broken = [name for name, holds in core.assumptions().items() if not holds]
    versions = f"Python {sys.version.split()[0]}, wrapt {wrapt.__version__}"
    assert not broken, f"gilonce/_native/assumptions.c relies on {broken}, which does not hold on {versions}"


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="needs gcc")
@pytest.mark.parametrize(
    ("assumption", "change"),
    [
        ("version_tags", "#define tp_version_tag tp_basicsize"),
        ("written_slots", "#define PyCallable_Check(object) 1"),
        pytest.param("shared_counts", "#undef Py_REFCNT\n#define Py_REFCNT(object) 1", marks=NEEDS_3_13T),
        ("tuple_hashes", "#define PyObject_Hash(object) (PyObject_Hash(object) & ~(Py_hash_t)1)"),
    ],
)
def test_a_check_notices_an_interpreter_that_is_different(tmp_path: Path, assumption: str, change: str) -> None:
    """The core is compiled with a macro that makes the interpreter look different to it."""
    core = tmp_path / f"core{sysconfig.get_config_var('EXT_SUFFIX')}"
    text = f'#include <Python.h>\n#include <structmember.h>\n{change}\n#include "module.c"\n'
    include = [f"-I{sysconfig.get_path('include')}", f"-I{TESTS.parent / 'gilonce' / '_native'}"]
    options = ["-std=c11", "-shared", "-fPIC", "-w", *include, "-o", str(core)]
    subprocess.run(["gcc", *options, "-x", "c", "-"], input=text, text=True, check=True)
    source = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("core", {str(core)!r})
core = importlib.util.module_from_spec(spec)
try:
    spec.loader.exec_module(core)
except SystemError as error:
    print(error)
else:
    print(core.assumptions()[{assumption!r}])
"""
    says = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=100
    ).stdout
    assert says in ("False\n", "this interpreter hashes tuples in a way that gilonce does not know\n")


def test_a_check_notices_a_wrapt_whose_getter_is_different() -> None:
    source = """
import wrapt
from gilonce._native import core
class Other(wrapt.BaseObjectProxy):
    __wrapped__ = vars(object)["__class__"]
class LazyProxy(Other):
    pass
print(core.replace(LazyProxy) is LazyProxy, core.assumptions()["wrapt"])
"""
    if "__wrapped__" not in vars(wrapt.BaseObjectProxy):
        pytest.skip("wrapt runs in Python here")
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment("native"),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert done.stdout == "True False\n"


def test_distrust_takes_a_known_name() -> None:
    done = run_without("version_tags", "core.distrust('version')")
    assert "ValueError: there is no assumption 'version'" in done.stderr


@pytest.mark.parametrize(
    ("assumption", "tests"),
    [
        pytest.param("version_tags", "surfaces/test_once_property.py", marks=pytest.mark.slow),
        pytest.param("written_slots", "surfaces/test_once_property_subclasses.py", marks=pytest.mark.slow),
        pytest.param("shared_counts", "cells/test_racing.py", marks=NEEDS_3_13T),
        pytest.param("wrapt", "surfaces/test_lazy_global.py", marks=pytest.mark.slow),
    ],
)
def test_everything_works_where_an_assumption_does_not_hold(assumption: str, tests: str) -> None:
    config = TESTS.parent / "pyproject.toml"
    options = ["-q", "-p", "no:cacheprovider", "-c", str(config), f"--rootdir={TESTS.parent}", "-k", "native"]
    first = f"import pytest\nassert pytest.main({[*options, str(TESTS / tests)]!r}) == 0\n"
    done = run_without(assumption, "", first)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_without_version_tags_the_place_of_a_slot_is_looked_up_at_every_read() -> None:
    source = """
class Thing:
    __slots__ = ("_value",)
    value = gilonce.once_property(slot="_value")(lambda self: 1)
kind = next(cls for cls in type(vars(Thing)["value"]).__mro__ if "_member_for" in vars(cls))
lookups, original = [], kind._member_for
def member_for(self, instance):
    lookups.append(instance)
    return original(self, instance)
kind._member_for = member_for
thing = Thing()
print([thing.value for _ in range(3)], len(lookups) >= 3)
"""
    done = run_without("version_tags", source)
    assert (done.stdout, done.stderr) == ("[1, 1, 1] True\n", "")


@pytest.mark.parametrize("assumption", ["written_slots", "wrapt"])
def test_without_slots_or_wrapt_lazy_globals_are_in_python(assumption: str) -> None:
    source = """
numbers = gilonce.lazy_global(lambda: [1, 2], reify=False)
from gilonce._surfaces.proxy import IS_NATIVE
print(IS_NATIVE, len(numbers), numbers + [3])
"""
    done = run_without(assumption, source)
    assert (done.stdout, done.stderr) == ("False 2 [1, 2, 3]\n", "")


@NEEDS_3_13T
def test_without_shared_counts_a_reference_is_counted_as_usual() -> None:
    source = """
import ctypes
def shared_count(value):
    # After the thread's number, the flags and the count of the thread that made the object: see object.h of 3.13.
    return ctypes.c_ssize_t.from_address(id(value) + 16).value >> 2
value = object()
gilonce.GILOnceCell().set(value)
cell = gilonce.GILOnceCell()
cell.set(value)
print(shared_count(value))
"""
    done = run_without("shared_counts", source)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_if_tuples_are_hashed_in_another_way_the_python_implementation_is_used() -> None:
    spec = find_spec("gilonce._native.core")
    assert spec is not None
    source = DISTRUST.format(core=spec.origin, assumption="tuple_hashes")
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", source + "import gilonce\nprint(gilonce.__implementation__)"],
        env=environment("native"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout == "python\n"
    assert "RuntimeWarning: gilonce runs in Python, because this interpreter hashes tuples" in done.stderr


def test_a_core_that_refuses_to_load_gives_way_to_python(native: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(ModuleType):
        @property
        def replace(self) -> None:
            raise SystemError("it relies on more than there is")

    loader: Any = sys.modules["gilonce._native"]
    monkeypatch.setitem(sys.modules, "gilonce._native.core", Refusing("core"))
    with pytest.warns(RuntimeWarning, match="gilonce runs in Python, because it relies on more than there is"):
        assert loader._find() is None
