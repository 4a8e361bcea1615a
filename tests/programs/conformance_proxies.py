"""Other projects' tests of lazy proxies, with `lazy_global` instead of the proxy that they test.

`conformance.py` runs them. For each project, pytest runs in a process of its own, with this module as a plugin. An
excluded test runs all the same, and must fail with the listed error.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from gilonce import lazy_global

#: The environment variable that names the project to the plugin.
VARIABLE = "GILONCE_CONFORMANCE"


class Exclusion(NamedTuple):
    """Tests that must fail, with the reason and the error."""

    reason: str
    error: type[Exception]
    tests: tuple[str, ...]


class Project(NamedTuple):
    """A project whose tests are run.

    Parameters:
        package: the package with its version; its source distribution has the tests.
        tests: the file of tests, in the source.
        replace: replaces the project's proxy in the module of the tests.
        excluded: the tests that must fail.
        selected: a substring of the names of the tests that are run.
    """

    package: str
    tests: str
    replace: Callable[[Any], None]
    excluded: tuple[Exclusion, ...]
    selected: str = "test"


def _proxy(factory: Callable[[], object], **_: object) -> Any:
    return lazy_global(factory, reify=False)


def _replace_in_wrapt(tests: Any) -> None:
    tests.wrapt = SimpleNamespace(**{**vars(tests.wrapt), "LazyObjectProxy": _proxy})


def _replace_in_werkzeug(tests: Any) -> None:
    local = tests.local

    def make_proxy(value: object) -> tuple[Any, Any]:
        namespace = local.Local(tests._cv_ns)
        namespace.value = value
        return namespace, _proxy(lambda: namespace.value)

    tests.local = SimpleNamespace(**{**vars(local), "LocalProxy": _proxy})
    tests._make_proxy = make_proxy


def _replace_in_django(tests: Any) -> None:
    tests.SimpleLazyObject = _proxy
    tests.LazyObjectTestCase.lazy_wrap = lambda self, value: _proxy(lambda: value)


PROJECTS = {
    "wrapt": Project(
        "wrapt==2.5.2",
        "tests/core/test_lazy_object_proxy.py",
        _replace_in_wrapt,
        (
            Exclusion(
                "its `__get__`, to be called without the owner; here it is the object's",
                TypeError,
                ("test_descriptor_optional_owner_required_by_wrapped",),
            ),
        ),
    ),
    "werkzeug": Project(
        "werkzeug==3.1.9",
        "tests/test_local.py",
        _replace_in_werkzeug,
        (
            Exclusion(
                "its proxy looks for the object at each use, in a context or by a name",
                TypeError,
                ("test_proxy_local", "test_proxy_wrapped"),
            ),
            Exclusion("its proxy calls the function at each use", AttributeError, ("test_proxy_callable",)),
            Exclusion("the docstring of its class", AttributeError, ("test_proxy_doc",)),
            Exclusion(
                "isinstance with its class; lazy_global is a function",
                TypeError,
                ("test_proxy_fallback", "test_proxy_type"),
            ),
            Exclusion(
                "an in-place operator gives the object's result here, and there a proxy",
                AssertionError,
                ("test_proxy_iop",),
            ),
        ),
        selected="proxy",
    ),
    "django": Project(
        "django==5.2.19",
        "tests/utils_tests/test_lazyobject.py",
        _replace_in_django,
        (
            Exclusion(
                "its copy of an untouched object is untouched; its _wrapped",
                AttributeError,
                (
                    "test_copy_list_no_evaluation",
                    "test_copy_class_no_evaluation",
                    "test_deepcopy_list_no_evaluation",
                    "test_deepcopy_class_no_evaluation",
                ),
            ),
            Exclusion("its repr", AssertionError, ("test_repr",)),
            Exclusion("subclasses its class; lazy_global is a function", TypeError, ("test_repr_bound_method",)),
            Exclusion("looks for its local variable `self` in every frame", KeyError, ("test_trace",)),
        ),
    ),
}


def run(name: str, source: Path, folder: Path) -> tuple[Path, int]:
    """Run a project's tests, from its source. Return the file of results, and the exit status."""
    project = PROJECTS[name]
    libraries = folder / "libraries"
    # The tests are those of this version, and so is what they test besides the proxy. What it needs is installed too.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--ignore-requires-python", f"--target={libraries}"]
    if name != "wrapt":
        subprocess.run([*pip, str(source)], check=True)
    tests = source / project.tests
    results = folder / "results.xml"
    pytest_ = [sys.executable, "-m", "pytest", "--noconftest", "-p", Path(__file__).stem, "-q", f"--junitxml={results}"]
    pytest_ += ["-c", os.devnull, f"--rootdir={source}", "--import-mode=importlib", "-k", project.selected, str(tests)]
    # Django's tests are packages in the folder `tests`.
    path = [libraries, Path(__file__).parent, source / "tests", *sys.path]
    done = subprocess.run(
        pytest_,
        cwd=source,
        env={**os.environ, VARIABLE: name, "PYTHONPATH": os.pathsep.join([str(entry) for entry in path if entry])},
        stdout=sys.stderr,
        check=False,
    )
    return results, done.returncode


# The rest is the pytest plugin.


def pytest_configure() -> None:
    """Set Django up before its tests are imported."""
    if os.environ.get(VARIABLE) == "django":
        settings = importlib.import_module("django.conf").settings
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            DEFAULT_AUTO_FIELD="django.db.models.AutoField",
            INSTALLED_APPS=["utils_tests"],
        )
        importlib.import_module("django").setup()
        importlib.import_module("django.core.management").call_command("migrate", run_syncdb=True, verbosity=0)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Replace the proxy in the modules of the tests, and mark the excluded tests as expected failures."""
    project = PROJECTS[os.environ[VARIABLE]]
    modules: dict[str, ModuleType] = {item.module.__name__: item.module for item in items}
    for module in modules.values():
        project.replace(module)
    for reason, error, names in project.excluded:
        for item in items:
            if item.originalname in names:
                item.add_marker(pytest.mark.xfail(reason=reason, raises=error, strict=True))
