"""Run other projects' tests against gilonce: `python tests/conformance.py [--stdlib DIR]`.

1. CPython's own tests of `functools.cached_property`, with `once_property` in its place.
2. lazy-object-proxy's own tests, with `lazy_global` in the place of its `Proxy`.

One line is printed for each: how many passed, how many failed, how many were excluded. What
is excluded is listed here, each with the reason. What is excluded of lazy-object-proxy's is run
all the same, and must fail with the error given: else it counts as failed, so that the list
stays honest. Its own expected failures are counted as excluded too, where they do fail.
The exit status is 1 if anything failed or could not be run. What hangs shows all stacks, and ends the run.

DIR is a `lib/python3.x` that has the `test` package, for an interpreter that comes without.
"""

from __future__ import annotations

import argparse
import ast
import faulthandler
import functools
import importlib.util
import inspect
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from gilonce import lazy_global, once_property

if TYPE_CHECKING:
    from collections.abc import Callable

#: CPython's tests that are not run, with the reason.
STDLIB_EXCLUDED = {
    "test_threaded": "wants an initializer that waits to run exactly once: the lock that CPython dropped in 3.12",
}

#: How many seconds one of the two may take.
LIMIT = 300

LOP = "lazy-object-proxy==1.13.0"
LOP_TESTS = ["tests/test_lazy_object_proxy.py", "tests/test_async_py3.py"]
#: Its tests that must fail: the reason, the error they fail with, their names.
LOP_EXCLUDED: list[tuple[str, type[Exception], list[str]]] = [
    (
        "subclasses its Proxy; lazy_global is a function",
        TypeError,
        [
            "test_revert_class_proxying",
            "test_derived_new",
            "test_setup_class_attributes",
            "test_override_class_attributes",
            "test_override_getattr",
            "test_subclassing_with_local_attr",
            "test_subclassing_dynamic_with_local_attr",
        ],
    ),
    (
        "its Proxy.__new__, which makes one without a factory",
        TypeError,
        ["test_new", "test_set_wrapped_via_new", "test_resolved_new"],
    ),
    (
        "its Proxy(None), to be given a __factory__ or __wrapped__ later",
        TypeError,
        ["test_deleting_the_factory", "test_patching_the_factory_with_none", "test_set_wrapped_regular"],
    ),
    ("its __resolved__", AttributeError, ["test_resolved", "test_resolved_str"]),
    ("its `del proxy.__wrapped__`, which forgets the object", TypeError, ["test_del_wrapped"]),
    ("its repr, of a proxy that was touched", AssertionError, ["test_repr"]),
    (
        "an AttributeError of the factory is a RuntimeError here; its __factory__",
        RuntimeError,
        ["test_raise_attribute_error", "test_patching_the_factory"],
    ),
    ("its text for what is no path; here it is the real object's error", AssertionError, ["test_fspath"]),
    ("its AttributeError for what is not iterable; here it is the real object's error", TypeError, ["test_for_2"]),
]
# Of what is no context manager its errors are one of each kind; here they are the real object's,
# which in Python 3.11 became a TypeError.
if sys.version_info >= (3, 11):
    LOP_EXCLUDED.append(("its AttributeError for `async with`", TypeError, ["test_with_3", "test_with_4"]))
else:
    LOP_EXCLUDED.append(("its TypeError for `async with`", AttributeError, ["test_with_2"]))


def cached_property_tests() -> type[unittest.TestCase]:
    """Return CPython's `TestCachedProperty`, built with `once_property`."""
    spec = importlib.util.find_spec("test.test_functools")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError
    # Renamed throughout, in the messages that are expected too.
    source = Path(spec.origin).read_text(encoding="utf-8").replace("cached_property", "once_property")
    tree = ast.parse(source)
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom)) or (isinstance(node, ast.ClassDef) and "Cached" in node.name)
    ]
    ours = SimpleNamespace(**{**vars(functools), "once_property": once_property})
    namespace: dict[str, Any] = {"__name__": spec.name, "py_functools": ours}
    exec(compile(tree, spec.origin, "exec"), namespace)
    case: type[unittest.TestCase] = namespace["TestCachedProperty"]
    return case


def run_stdlib(folder: str | None) -> bool:
    """Run CPython's tests and print the counts; return whether all passed."""
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    name = "functools.cached_property"
    if folder is not None:
        sys.path.append(folder)
    try:
        case = cached_property_tests()
    except ModuleNotFoundError:
        print(f"{name}: NOT RUN: this interpreter has no test.test_functools; say where one is with --stdlib DIR")
        return False
    for test in STDLIB_EXCLUDED.keys() & vars(case).keys():
        setattr(case, test, unittest.skip(STDLIB_EXCLUDED[test])(getattr(case, test)))
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
    failed, excluded = len(result.failures) + len(result.errors), len(result.skipped)
    passed = suite.countTestCases() - failed - excluded
    report(name, passed, failed, excluded)
    return passed > 0 and not failed


def run_lop() -> bool:
    """Run lazy-object-proxy's tests and print the counts; return whether all passed."""
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # It is not installed, so it does not matter which Python it wants: only its tests are used.
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
        subprocess.run([*pip, "--no-binary=lazy-object-proxy", f"--dest={folder}", LOP], check=True)
        (archive,) = folder.glob("*.tar.gz")
        shutil.unpack_archive(archive, folder, filter="data")
        source = folder / archive.name.removesuffix(".tar.gz")
        # This file is the plugin, in the place of the conftest.
        path = os.pathsep.join([str(source / "src"), str(Path(__file__).parent)])
        junit = folder / "junit.xml"
        pytest_ = [sys.executable, "-m", "pytest", "--noconftest", "-p", "conformance", "-q", f"--junitxml={junit}"]
        # Its watchdog is to be first, for this process's ends no other.
        pytest_ += ["-o", "faulthandler_timeout=60", "-o", "faulthandler_exit_on_timeout=true"]
        output = subprocess.run(
            [*pytest_, *LOP_TESTS], cwd=source, env={**os.environ, "PYTHONPATH": path}, stdout=sys.stderr, check=False
        )
        counts = next(ET.parse(junit).iter("testsuite")).attrib
    failed, excluded = int(counts["failures"]) + int(counts["errors"]), int(counts["skipped"])
    passed = int(counts["tests"]) - failed - excluded
    report("lazy-object-proxy", passed, failed, excluded)
    return passed > 0 and output.returncode == 0


def report(name: str, passed: int, failed: int, excluded: int) -> None:
    """Print the line for one part."""
    print(f"{name}: {passed} passed, {failed} failed, {excluded} excluded", flush=True)


# What follows is the pytest plugin that the second part uses.


def _proxy(factory: Callable[[], object]) -> object:
    # The tests want a proxy of a coroutine, and lazy_global refuses to make one from a
    # coroutine function, for whoever writes that wants the awaited value.

    def make_coroutine() -> object:
        return factory()

    return lazy_global(make_coroutine if inspect.iscoroutinefunction(factory) else factory)


@pytest.fixture
def lop() -> SimpleNamespace:
    """Stand in for lazy-object-proxy's implementations.

    Of these, "simple" is the one whose in-place operators need not give a proxy.
    """
    return SimpleNamespace(kind="simple", subclass=False, Proxy=_proxy)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark what is excluded as bound to fail."""
    by_name = {item.originalname: item for item in items}
    for reason, error, names in LOP_EXCLUDED:
        for name in names:
            by_name[name].add_marker(pytest.mark.xfail(reason=reason, raises=error, strict=True))


def main() -> int:
    """Run both parts; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stdlib", metavar="DIR", help="a lib/python3.x with the test package, if there is none")
    print(f"{platform.python_implementation()} {sys.version}")
    return 0 if all([run_stdlib(parser.parse_args().stdlib), run_lop()]) else 1


if __name__ == "__main__":
    sys.exit(main())
