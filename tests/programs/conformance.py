"""Run other projects' tests against gilonce: `python tests/programs/conformance.py [--stdlib DIR]`.

1. CPython's own tests of `functools.cached_property`, with `once_property` instead.
2. CPython's own tests of `functools.cache` and `lru_cache`, with `once_per_args`, except those that ask for statistics;
  and the tests of the same task from funcy and cachetools.
3. lazy-object-proxy's own tests, with `lazy_global` instead of its `Proxy`.
4. The tests of wrapt's `LazyObjectProxy`, werkzeug's `LocalProxy` and Django's `SimpleLazyObject`, with `lazy_global`.

For each, the program prints how many tests passed, failed and were excluded. The excluded tests are listed here and in
the modules beside this one, each with the reason. The excluded tests of proxies run all the same, and must fail with
the listed error. Otherwise they count as failed, so that the list stays honest. Expected failures of the projects
themselves count as excluded too if they do fail. The exit status is 1 if a test failed or could not be run. A test that
hangs shows all stacks and ends the run.

DIR is a `lib/python3.x` with the `test` package, for an interpreter that lacks it.
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

import conformance_cachetools
import conformance_per_args
import conformance_proxies
import pytest

from gilonce import lazy_global, once_property

if TYPE_CHECKING:
    from collections.abc import Callable

#: CPython's tests that are excluded, with the reason.
STDLIB_EXCLUDED = {
    "test_threaded": "wants an initializer that waits to run exactly once: the lock that CPython dropped in 3.12",
}

#: The limit for each of the two, in seconds.
LIMIT = 300

LOP = "lazy-object-proxy==1.13.0"
LOP_TESTS = ["tests/test_lazy_object_proxy.py", "tests/test_async_py3.py"]
#: Tests that must fail: the reason, the error, and the names of the tests.
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
    ("its `__getattr__`; here a special name is the object's", AssertionError, ["test_attr_functions"]),
    ("its assignment to `__wrapped__`; here the cell decides which object it is", AssertionError, ["test_set_wrapped"]),
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
# Of an object that is no context manager, lazy-object-proxy's tests expect an AttributeError in one statement and a
# TypeError in the other. gilonce raises the object's error in both, which is a TypeError from Python 3.11 on.
if sys.version_info >= (3, 11):
    LOP_EXCLUDED.append(("its AttributeError for `async with`", TypeError, ["test_with_3", "test_with_4"]))
else:
    LOP_EXCLUDED.append(("its TypeError for `async with`", AttributeError, ["test_with_2"]))


def cached_property_tests() -> type[unittest.TestCase]:
    """Return CPython's `TestCachedProperty`, built with `once_property`."""
    spec = importlib.util.find_spec("test.test_functools")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError
    # Renamed everywhere, also in the expected messages.
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
        source = download(LOP, folder)
        # This file is the plugin, and replaces the conftest.
        path = os.pathsep.join([str(source / "src"), str(Path(__file__).parent)])
        junit = folder / "junit.xml"
        pytest_ = [sys.executable, "-m", "pytest", "--noconftest", "-p", "conformance", "-q", f"--junitxml={junit}"]
        # Its watchdog must be the first to act, because this process's watchdog ends no other process.
        pytest_ += ["-o", "faulthandler_timeout=60", "-o", "faulthandler_exit_on_timeout=true"]
        output = subprocess.run(
            [*pytest_, *LOP_TESTS], cwd=source, env={**os.environ, "PYTHONPATH": path}, stdout=sys.stderr, check=False
        )
        return report_pytest("lazy-object-proxy", junit, output.returncode)


def run_proxies() -> bool:
    """Run the tests of other proxies and print the counts; return whether all passed."""
    is_right = True
    for name, project in conformance_proxies.PROJECTS.items():
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        with tempfile.TemporaryDirectory() as folder:
            source = download(project.package, Path(folder))
            is_right = report_pytest(name, *conformance_proxies.run(name, source, Path(folder))) and is_right
    return is_right


def report_pytest(name: str, results: Path, status: int) -> bool:
    """Print the line for a run of pytest; return whether all tests passed."""
    counts = next(ET.parse(results).iter("testsuite")).attrib
    failed, excluded = int(counts["failures"]) + int(counts["errors"]), int(counts["skipped"])
    passed = int(counts["tests"]) - failed - excluded
    report(name, passed, failed, excluded)
    return passed > 0 and status == 0


def run_per_args() -> bool:
    """Run the tests of one value per arguments and print the counts; return whether all passed."""
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    try:
        suites = {"functools.cache": conformance_per_args.stdlib_suite()}
    except ModuleNotFoundError:
        print(
            "functools.cache: NOT RUN: this interpreter has no test.test_functools; say where one is with --stdlib DIR"
        )
        return False
    with tempfile.TemporaryDirectory() as folder:
        suites["funcy"] = conformance_per_args.funcy_suite(download(conformance_per_args.FUNCY, Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        source = download(conformance_cachetools.CACHETOOLS, Path(folder))
        suites["cachetools"] = conformance_cachetools.suite(source)
    is_right = True
    for name, suite in suites.items():
        result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
        failed, excluded = len(result.failures) + len(result.errors), len(result.skipped)
        passed = result.testsRun - failed - excluded
        report(name, passed, failed, excluded)
        is_right = is_right and passed > 0 and not failed
    return is_right


def download(package: str, folder: Path) -> Path:
    """Return where the source of a package is, given as `name==version`."""
    # It is not installed, so it does not matter which Python it wants: only its tests are used.
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    name = package.partition("==")[0]
    subprocess.run([*pip, f"--no-binary={name}", f"--dest={folder}", package], check=True)
    (archive,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def report(name: str, passed: int, failed: int, excluded: int) -> None:
    """Print the line for one part."""
    print(f"{name}: {passed} passed, {failed} failed, {excluded} excluded", flush=True)


# The rest is the pytest plugin that the second part uses.


def _proxy(factory: Callable[[], object]) -> object:
    # The tests need a proxy of a coroutine. lazy_global refuses a coroutine function, because a user who writes one
    # wants the awaited value.

    def make_coroutine() -> object:
        return factory()

    return lazy_global(make_coroutine if inspect.iscoroutinefunction(factory) else factory)


@pytest.fixture
def lop() -> SimpleNamespace:
    """Replace lazy-object-proxy's implementations.

    Only the implementation "simple" may return something other than a proxy from in-place operators.
    """
    return SimpleNamespace(kind="simple", subclass=False, Proxy=_proxy)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the excluded tests as expected failures."""
    by_name = {item.originalname: item for item in items}
    for reason, error, names in LOP_EXCLUDED:
        for name in names:
            by_name[name].add_marker(pytest.mark.xfail(reason=reason, raises=error, strict=True))


def main() -> int:
    """Run all parts; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stdlib", metavar="DIR", help="a lib/python3.x with the test package, if there is none")
    print(f"{platform.python_implementation()} {sys.version}")
    return 0 if all([run_stdlib(parser.parse_args().stdlib), run_per_args(), run_lop(), run_proxies()]) else 1


if __name__ == "__main__":
    sys.exit(main())
