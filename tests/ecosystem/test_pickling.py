"""cloudpickle, dill and joblib, which store the functions and classes of `__main__` by value, beside functools.

`pickled_program.py` stores objects in one process and loads them in another.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from support import WATCHDOG, environment
from support.comparison import Case, Given, Tool, where_gilonce_is

PROGRAM = Path(__file__).with_name("pickled_program.py")
CLOUDPICKLE = Tool("cloudpickle")
DILL = Tool("dill")
JOBLIB = Tool("joblib")

#: What is stored and loaded, with what is said in the table, why that fails with functools in cloudpickle, and in dill.
BY_NAME = "it is stored by its name, which the other process does not have"
KINDS = {
    "function": ("a function, its attributes and globals", BY_NAME, "its attributes are lost"),
    "discards": ("a function with `discard=`", BY_NAME, "it has no such option"),
    "locked": ("a function with `cell=`", BY_NAME, "it has no such option"),
    "later": ("an `async def`", BY_NAME, "its one coroutine can be awaited once"),
    "recursive": ("a function that refers to itself", BY_NAME, ""),
    "per_args": ("a function with arguments", BY_NAME, "two spellings of a call are two values"),
    "per_typed_args": ("a function with arguments, `typed=True`", BY_NAME, ""),
    "per_key": ("a function with arguments, `key=`", BY_NAME, "it has no such option"),
    "per_args_later": ("an `async def` with arguments", BY_NAME, "two spellings of a call are two values"),
    "class": ("a class with methods and attributes", "it is stored by its name, which is not found", ""),
    "inside": ("a class with `@once` above `@classmethod`", "there is no such form", "there is no such form"),
    "slotted": ("a class with `slot=`", "it has no such option", "it has no such option"),
    "bound": ("a bound method", "it is stored by its name, which is not found", ""),
    "local": ("a function that was made in a function", "it is stored by its name, which is not found", ""),
    "builtin": ("`once(dict)`", "it is stored by its name, which is not found", ""),
}


def run(*arguments: object) -> str:
    """Run the program in a process of its own, on the implementation that is active; return what it prints."""
    implementation = "python" if os.environ.get("GILONCE_PURE_PYTHON") else "native"
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, arguments)],
        env={**environment(implementation), "PYTHONPATH": where_gilonce_is(), "IMPLEMENTATION": implementation},
        capture_output=True,
        text=True,
        timeout=2 * WATCHDOG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def outcomes(pickler: str, decorators: str, implementation: str, folder: Path) -> dict[str, str]:
    stored = folder / f"{pickler}-{decorators}-{implementation}.json"
    run(pickler, decorators, "store", stored)
    loaded: dict[str, str] = json.loads(run(pickler, decorators, "load", stored))
    return loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pickles")


#: The folder of the running test, for the cases.
_folder: list[Path] = []


def add_case(tool: Tool, kind: str) -> None:
    what, by_cloudpickle, by_dill = KINDS[kind]
    reason, limit = (by_cloudpickle, "") if tool is CLOUDPICKLE else (by_dill, "")
    if (tool, kind) == (DILL, "recursive"):
        reason = limit = "the copy looks for its globals in the other process's `__main__`"

    def use(given: Given) -> None:
        implementation = "python" if os.environ.get("GILONCE_PURE_PYTHON") else "native"
        found = outcomes(tool.package, given.name, implementation, _folder[-1]).get(kind)
        if given.name == "gilonce" and implementation == "python" and kind in ("per_args", "per_typed_args"):
            assert found is not None
            assert found.startswith(f"PicklingError: {kind}() cannot be pickled by value, because its code was gen")
        else:
            assert found == "ok"

    use.__name__ = kind
    use.__doc__ = f"Store and load {what}."
    tool.case(functools=reason, gilonce=limit)(use)


for _tool in CLOUDPICKLE, DILL:
    for _kind in KINDS:
        add_case(_tool, _kind)


@JOBLIB.case(functools=BY_NAME)
def calls_in_workers(given: Given) -> None:
    """A task that calls a function of `__main__`, in worker processes."""
    parent, *found = json.loads(run("joblib", given.name, "run"))
    assert all(
        worker != parent and is_one and value == ["a global of the main module"] for worker, is_one, value in found
    )


@pytest.mark.parametrize(
    "case", [*CLOUDPICKLE.cases, *DILL.cases, *JOBLIB.cases], ids=lambda case: f"{case.tool.package}-{case}"
)
def test_a_copy_by_value_is_a_once_function(gilonce: ModuleType, folder: Path, case: Case) -> None:
    """Never a plain function, that would compute again at each call."""
    _folder.append(folder)
    case.check(gilonce)


def importable(gilonce: ModuleType, decorator: Callable[[Any], Any]) -> Any:
    """Return a decorated function that this module has under its name."""

    def made_here() -> object:
        return object()

    made_here.__qualname__ = made_here.__name__
    made = decorator(made_here)
    globals()["made_here"] = made
    return made


@pytest.mark.parametrize("pickler", ["pickle", "cloudpickle", "dill"])
@pytest.mark.parametrize("surface", ["once", "once_per_args"])
def test_what_can_be_imported_is_stored_by_name(gilonce: ModuleType, pickler: str, surface: str) -> None:
    module = Tool(pickler).require()
    made = importable(gilonce, getattr(gilonce, surface))
    assert module.loads(module.dumps(made)) is made
    assert copy.copy(made) is copy.deepcopy(made) is made


def test_a_module_that_is_registered_is_stored_by_value(gilonce: ModuleType) -> None:
    """`cloudpickle.register_pickle_by_value` holds for once functions, too."""
    cloudpickle = CLOUDPICKLE.require()
    made = importable(gilonce, gilonce.once)
    here = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(here)
    try:
        loaded = cloudpickle.loads(cloudpickle.dumps(made))
    finally:
        cloudpickle.unregister_pickle_by_value(here)
    assert loaded is not made
    assert loaded() is loaded()


def test_a_pickler_of_ones_own_stores_by_name(gilonce: ModuleType) -> None:
    """`reducer_override` alone does not make a pickler one that stores by value."""
    import io

    seen = []

    class Pickler(pickle.Pickler):
        def reducer_override(self, obj: Any) -> Any:
            seen.append(isinstance(obj, FunctionType))
            return NotImplemented

    made = importable(gilonce, gilonce.once)
    stored = io.BytesIO()
    Pickler(stored).dump(made)
    assert pickle.loads(stored.getvalue()) is made
    assert seen[:1] == [False]
    assert isinstance(made, FunctionType)
