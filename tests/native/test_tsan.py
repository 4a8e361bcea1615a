"""The stress for ThreadSanitizer misses no entry of the native core, and its reports are read correctly.

The run itself is here too, for interpreters that are compiled with the sanitizer; see `programs/tsan.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tsan
from support import IMPLEMENTATIONS, activate
from support.core_tables import entries_of_the_core
from tsan_reports import Frame, Report, Suppression, read, suppressions

TESTS = Path(__file__).resolve().parents[1]
SOURCES = sorted((TESTS.parent / "gilonce" / "_native").glob("*.[ch]"))

needs_core = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")


@pytest.fixture
def entry_points() -> Any:
    """The table, imported again with the native core active."""
    with activate("native"):
        sys.modules.pop("support.entry_points", None)
        yield import_module("support.entry_points")
        sys.modules.pop("support.entry_points", None)


@needs_core
def test_every_entry_of_the_core_is_stressed(entry_points: Any) -> None:
    """A method, getter or slot that is added to the core must be added to the stress."""
    found = entries_of_the_core("".join(source.read_text(encoding="utf-8") for source in SOURCES))
    stressed = {entry for entries in entry_points.OPERATIONS.values() for entry in entries}
    assert stressed | set(entry_points.ELSEWHERE) == found
    assert not stressed & set(entry_points.ELSEWHERE)


def test_a_new_entry_would_be_found() -> None:
    """In each kind of table, and in one that a macro writes."""
    text = """
static PyMethodDef cell_methods[] = {
    {"get", FAST(cell_get), "get($self, default=None)\\n--\\n\\n"},
    {"_load", (PyCFunction)(void (*)(void))cell_method_load, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef once_getset[] = {
    {"cell", (getter)once_get_cell, NULL, NULL, NULL},
};
static PyMemberDef bound_members[] = {
    {"__self__", T_OBJECT_EX, offsetof(BoundOnce, owner), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(BoundOnce, weakrefs), READONLY, NULL},
};
#define VIEW_SLOTS(name, init) \\
    static PyType_Slot name[] = { \\
        {Py_tp_init, init}, \\
        {Py_tp_methods, view_methods}, \\
    }
VIEW_SLOTS(dict_cell_slots, dict_cell_init);
static PyMethodDef make_proxy = {
    "make_proxy", (PyCFunction)(void (*)(void))native_make_proxy, METH_FASTCALL, NULL,
};
static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gilonce._native.core",
    .m_free = native_free,
};
"""
    assert entries_of_the_core(text) == {
        "cell_methods.get",
        "cell_methods._load",
        "once_getset.cell",
        "bound_members.__self__",
        "dict_cell_slots.Py_tp_init",
        "make_proxy",
        "native_module.m_free",
    }


#: The files of the core that no operation comes to: without wrapt's compiled part, a proxy is one in Python.
UNUSED_FILES = () if find_spec("wrapt._wrappers") else ("proxy.c", "proxy.h", "proxy_slots.c", "proxy_types.c")

#: Functions of the core that no operation comes to, with the reason.
NOT_ENTERED = {
    "torn_down": "what is said after the interpreter has ended",
    "native_clear": "runs after the last count was written",
    "native_free": "the same",
    "sample_call": "its slot is only looked at; see assumptions.c",
    "sample_get": "the same",
    "native_assumptions": "for tests only",
    "native_distrust": "for tests only",
}
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    NOT_ENTERED |= dict.fromkeys(
        ["is_number", "is_text", "is_number_or_text", "is_array", "is_plain_dict"],
        "only with a GIL are objects borrowed",
    )


@needs_core
@pytest.mark.skipif(
    sys.platform == "win32" or not (shutil.which("gcc") and shutil.which("gcov")),
    reason="needs gcc and gcov, which count",
)
def test_the_stress_enters_every_function_of_the_core(tmp_path: Path) -> None:
    """The table says which functions run, and the compiler counts which did run."""
    shutil.copytree(SOURCES[0].parents[1], tmp_path / "gilonce", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    source = tmp_path / "gilonce" / "_native" / "module.c"
    made = source.with_name(f"core{sysconfig.get_config_var('EXT_SUFFIX')}")
    options = ["-shared", "-fPIC", "-O0", "--coverage", "-fprofile-update=atomic", f"-I{sysconfig.get_path('include')}"]
    subprocess.run(["gcc", *options, "module.c", "-o", made.name], cwd=source.parent, check=True)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}", "GILONCE_PURE_PYTHON": ""}
    stress = [sys.executable, str(TESTS / "programs" / "tsan_stress.py"), "--seconds", "0", "--threads", "2"]
    done = subprocess.run(
        stress, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    counts = next(source.parent.glob("*.gcda"))
    counted = subprocess.run(
        ["gcov", "--json-format", "--stdout", counts.name], cwd=source.parent, capture_output=True, check=True
    )
    functions = [
        function
        for line in counted.stdout.splitlines()
        for file in json.loads(line)["files"]
        if not Path(file["file"]).is_absolute() and Path(file["file"]).name not in UNUSED_FILES
        for function in file["functions"]
    ]
    assert len(functions) > 100
    never = {function["name"] for function in functions if not function["execution_count"]}
    assert never <= set(NOT_ENTERED)


# Reports.

REPORT = """
==================
WARNING: ThreadSanitizer: data race (pid=42)
  Write of size 8 at 0x7ffff0000010 by thread T2:
    #0 write_if_null /tmp/x/gilonce/_native/base.h:44:13 (core.cpython-313t-x86_64-linux-gnu.so+0x1) (BuildId: 1)
    #1 cell_publish /tmp/x/gilonce/_native/place.c:44:13 (core.cpython-313t-x86_64-linux-gnu.so+0x2) (BuildId: 1)
    #2 _PyEval_EvalFrameDefault /src/Python/generated_cases.c.h:1 (python3.13t+0x3) (BuildId: 2)

  Previous atomic read of size 8 at 0x7ffff0000010 by thread T1:
    #0 member_get_object /src/Python/structmember.c:18:9 (python3.13t+0x4) (BuildId: 2)
    #1 _PyEval_EvalFrameDefault /src/Python/generated_cases.c.h:1 (python3.13t+0x3) (BuildId: 2)
    #2 cell_get_or_init /tmp/x/gilonce/_native/cell.c:1:1 (core.cpython-313t-x86_64-linux-gnu.so+0x5) (BuildId: 1)

  Thread T2 (tid=44, running) created by main thread at:
    #0 pthread_create <null> (python3.13t+0x6) (BuildId: 2)

SUMMARY: ThreadSanitizer: data race /tmp/x/gilonce/_native/base.h:44:13 in write_if_null
==================
"""


#: In no call of ours, and in no list: both accesses are the interpreter's.
THEIRS = """
==================
WARNING: ThreadSanitizer: data race (pid=42)
  Write of size 8 at 0x7ffff0000020 by thread T2:
    #0 of_no_list /src/Objects/nowhere.c:1:1 (python3.13t+0x7) (BuildId: 2)
    #1 _PyEval_EvalFrameDefault /src/Python/generated_cases.c.h:1 (python3.13t+0x3) (BuildId: 2)
    #2 cell_get_or_init /tmp/x/gilonce/_native/cell.c:1:1 (core.cpython-313t-x86_64-linux-gnu.so+0x5) (BuildId: 1)

  Previous read of size 8 at 0x7ffff0000020 by thread T1:
    #0 of_no_list /src/Objects/nowhere.c:2:1 (python3.13t+0x8) (BuildId: 2)

SUMMARY: ThreadSanitizer: data race /src/Objects/nowhere.c:1:1 in of_no_list
==================
"""


def test_a_report_says_whose_it_is() -> None:
    """A function of ours counts up to the interpreter's loop: below that, it called arbitrary code."""
    (report,) = read(REPORT)
    assert report.kind == "data race"
    assert [stack[0].function for stack in report.stacks] == ["write_if_null", "member_get_object"]
    assert report.ours == {"write_if_null", "cell_publish"}
    assert len(read(REPORT * 3)) == 3


def test_a_suppression_covers_nothing_of_ours_unless_it_says_so(tmp_path: Path) -> None:
    """That a function of the interpreter's is listed excuses no access of ours to what it writes."""
    listed = tmp_path / "listed"
    listed.write_text(
        "# A reason.\nrace_top:^member_get_object$\n\n# Another. meets: write_if_null, cell_publish\nrace:cell_get\n"
    )
    silent, saying = suppressions(listed)
    reports = read(REPORT)
    assert tsan.judge(reports, [silent]) == ({}, reports)
    assert tsan.judge(reports, [saying]) == ({saying: 1}, [])
    theirs = [Report("data race", ((Frame("member_get_object", "structmember.c"),),), "")]
    assert tsan.judge(theirs, [silent]) == ({silent: 1}, [])
    assert not Suppression("race_top:^cell_get_or_init$", "not the innermost").covers(reports[0])
    assert not Suppression("race_top:^member_get$", "not its whole name").covers(reports[0])


@pytest.mark.parametrize(("text", "noticed"), [(REPORT, True), (THEIRS, False), (THEIRS + REPORT, True), ("", False)])
def test_a_mistake_is_noticed_by_a_report_of_ours_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, noticed: bool
) -> None:
    """What the interpreter does of itself, listed or not, says nothing of a mistake in the core."""

    class Interpreter:
        version = "an interpreter"

        def __init__(self, path: str) -> None:
            pass

        def compile(self, where: Path, mistake: str | None) -> None:
            pass

        def run(self, where: Path, seconds: float, threads: int) -> tuple[list[Report], str, int]:
            return read(text), "", 0

    monkeypatch.setattr(tsan, "Interpreter", Interpreter)
    monkeypatch.setattr(sys, "argv", ["tsan.py", "--python", "python", "--broken"])
    assert tsan.main() == (not noticed)
    (last,) = re.findall("^not noticed: (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert last == ("none of them" if noticed else ", ".join(tsan.MISTAKES))
    # Without a mistake, every report that is not listed counts.
    monkeypatch.setattr(sys, "argv", ["tsan.py", "--python", "python"])
    assert tsan.main() == bool(text)


def test_every_suppression_has_a_reason(tmp_path: Path) -> None:
    """A line without one is an error."""
    suppressions(tsan.SUPPRESSIONS)
    listed = tmp_path / "listed"
    listed.write_text("# A reason for something else.\n\nrace:anything\n")
    with pytest.raises(ValueError, match="has no reason"):
        suppressions(listed)


def test_the_mistakes_can_still_be_made() -> None:
    """Each replaces a text that is in the core once."""
    for name, right, wrong in tsan.MISTAKES.values():
        assert (TESTS.parent / "gilonce" / name).read_text(encoding="utf-8").count(right) == 1, right
        assert right != wrong


def test_without_an_interpreter_it_says_so() -> None:
    """Nothing run is not a run that passed."""
    environment = {name: value for name, value in os.environ.items() if name != "GILONCE_TSAN_PYTHON"}
    done = subprocess.run([sys.executable, tsan.__file__], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == tsan.NOT_HERE
    assert re.match("NOT RUN", done.stderr)


@pytest.mark.skipif(
    "GILONCE_TSAN_PYTHON" not in os.environ,
    reason="GILONCE_TSAN_PYTHON names no interpreter: see tests/programs/tsan.py",
)
@pytest.mark.parametrize("arguments", [["--seconds", "20"], ["--broken", "--seconds", "5"]])
def test_no_report_is_ours_and_every_mistake_is_reported(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, tsan.__file__, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
