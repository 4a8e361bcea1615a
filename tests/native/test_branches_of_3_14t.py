"""The branches of the core that only 3.14 without a GIL takes, on 3.13 without one.

`as_3_14t.c` compiles the core as for 3.14, and provides the functions that only 3.14 has. `programs/cross_compile.py`
compiles the same branches against the headers of 3.14 and 3.15.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = TESTS.parent / "gilonce"
GIL = getattr(sys, "_is_gil_enabled", lambda: True)()

pytestmark = [
    pytest.mark.skipif(GIL or sys.version_info[:2] != (3, 13), reason="needs a free-threaded build of 3.13"),
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="needs gcc"),
]

#: What a program sees in a core that was built like this. It reads what the functions in `as_3_14t.c` keep.
READ = """
import ctypes, gilonce, sys
from gilonce._native import core
assert gilonce.__implementation__ == "native" and not sys._is_gil_enabled()
library = ctypes.CDLL(core.__file__)
def number(name):
    return ctypes.c_ssize_t.in_dll(library, name).value
def is_deferred(thing):
    return id(thing) in list((ctypes.c_void_p * 100).in_dll(library, "deferred_objects"))[:number("deferred")]
"""

DEFERRED = """
cell = gilonce.GILOnceCell()
@gilonce.once
def function():
    return object()
class Body:
    cell = gilonce.GILOnceCell()
    @gilonce.once
    def method(self):
        return object()
def make():
    local = gilonce.GILOnceCell()
    @gilonce.once
    def inner():
        return object()
    class Local:
        cell = gilonce.GILOnceCell()
    return local, inner, Local.cell
print(is_deferred(cell), is_deferred(function), is_deferred(Body.cell), is_deferred(vars(Body)["method"]))
print([is_deferred(thing) for thing in make()])
"""

TYPES = """
try:
    type(gilonce.once(object)).name = 1
except TypeError as error:
    print(error)
print(number("frozen") > 0)
"""

#: One thread takes the value, and frees it, while others read. Each reader must see a whole value or none.
FREED = """
import threading
cell, stop, wrong, size = gilonce.GILOnceCell(), threading.Event(), [], 100
whole = bytes(size)
def read():
    while not stop.is_set():
        for _ in range(200):
            value = cell.get()
            if value is not None and value != whole:
                wrong.append(value)
readers = [threading.Thread(target=read) for _ in range(3)]
for reader in readers:
    reader.start()
before = number("enabled")
for _ in range(20_000):
    cell.set(bytes(size))
    assert cell.take() == whole
stop.set()
for reader in readers:
    reader.join()
print(number("enabled") - before >= 20_000, wrong)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a copy of the package whose core was compiled like this."""
    folder = tmp_path_factory.mktemp("as_3_14t")
    shutil.copytree(PACKAGE, folder / "gilonce", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    flags, suffix = sysconfig.get_config_vars("CCSHARED", "EXT_SUFFIX")
    native = folder / "gilonce" / "_native"
    include = [f"-I{native}", f"-I{sysconfig.get_path('include')}"]
    options = [*shlex.split(flags), "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", *include]
    made = str(native / f"core{suffix}")
    source = str(Path(__file__).with_name("as_3_14t.c"))
    done = subprocess.run(["gcc", *options, source, "-o", made], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def run(built: Path, *arguments: str) -> str:
    variables = {**os.environ, "PYTHONPATH": str(built), "GILONCE_PURE_PYTHON": ""}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=variables,
        cwd=built,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_count_is_deferred_of_what_is_made_at_the_top_level_only(built: Path) -> None:
    (built / "deferred.py").write_text(READ + DEFERRED)
    assert run(built, "deferred.py") == "True True True True\n[False, False, False]\n"


def test_the_types_of_once_functions_are_frozen(built: Path) -> None:
    (built / "types_of_once.py").write_text(READ + TYPES)
    assert run(built, "types_of_once.py") == "cannot set 'name' attribute of immutable type 'Once'\nTrue\n"


def test_a_reader_never_sees_a_freed_value(built: Path) -> None:
    (built / "freed.py").write_text(READ + FREED)
    assert run(built, "freed.py") == "True []\n"


@pytest.mark.parametrize("tests", ["cells/test_racing.py", "surfaces/test_once.py", "surfaces/test_once_per_args.py"])
def test_the_tests_of_the_core_pass(built: Path, tests: str) -> None:
    config = TESTS.parent / "pyproject.toml"
    options = ["-q", "-p", "no:cacheprovider", "-c", str(config), f"--rootdir={TESTS.parent}", "-k", "native"]
    # The package comes last: pytest warns when it loads a plugin that was imported before.
    first = f"import pytest\nassert pytest.main({[*options, str(TESTS / tests)]!r}) == 0\n"
    last = f"assert core.__file__.startswith({str(built)!r})\nprint(number('enabled') > 0)"
    assert run(built, "-c", first + READ + last).endswith("True\n")
