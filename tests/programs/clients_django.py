"""Run Django's tests by Django's own runner, and report each test as pytest does, for `clients.py`.

    python clients_django.py --junitxml=FILE [-p clients_plugin] APP...

In the folder of Django's source distribution, this runs `tests/runtests.py` in one process on the test apps named. It
takes the options that `clients.py` gives to pytest. With `-p`, it imports the plugin first, which replaces functools'
caches. Then it replaces Django's `cached_property`, a class of Django's own, by `once_property`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import runpy
import sys
import unittest
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

report = ET.Element("testsuite")


def add(test: Any, tag: str | None = None, **attributes: str) -> None:
    """Add a test to the report; `tag` and `attributes` are those of its outcome, if it has not passed."""
    place, _, name = test.id().rpartition(".")
    case = ET.SubElement(report, "testcase", classname=place, name=name)
    if tag:
        ET.SubElement(case, tag, attributes)


class Result(unittest.TextTestResult):
    """A result that adds each outcome to the report."""

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        add(test)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        add(test, "error")

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        add(test, "failure")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        add(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        add(test, "skipped", type="pytest.xfail")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        add(test, "failure")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        # If all subtests pass, `addSuccess` is called for the test.
        if err is not None:
            add(test, "failure")


def main() -> None:
    """Run the apps that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("apps", nargs="+", metavar="APP")
    parser.add_argument("--junitxml", type=Path, required=True, metavar="FILE")
    parser.add_argument("-p", dest="plugin", metavar="MODULE")
    arguments = parser.parse_args()
    plugin = original = None
    if arguments.plugin:
        plugin = importlib.import_module(arguments.plugin)
        functional: Any = importlib.import_module("django.utils.functional")
        original = functional.cached_property
        functional.cached_property = plugin.gilonce.once_property

    unittest.TextTestRunner.resultclass = Result  # type: ignore[assignment]
    runtests = Path("tests/runtests.py").resolve()
    sys.path[0] = str(runtests.parent)
    sys.argv = [str(runtests), "--parallel=1", *arguments.apps]
    # It exits if a test failed, and the report says which.
    with contextlib.suppress(SystemExit):
        runpy.run_path(str(runtests), run_name="__main__")
    ET.ElementTree(report).write(arguments.junitxml)
    if plugin:
        missed = [name for name, module in sys.modules.items() if module.__dict__.get("cached_property") is original]
        assert not missed, f"imported before it was replaced: {missed}"
        plugin.pytest_unconfigure()


if __name__ == "__main__":
    main()
