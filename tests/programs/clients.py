"""Run the test suites of packages that use the caches of functools, with gilonce instead.

    python tests/programs/clients.py [--native] [--folder DIR] [PACKAGE ...]

For each package in the list below, the program downloads the source distribution and installs it in an environment of
its own, together with this checkout (with the native core, so a compiler is needed). Then the package's tests run three
times: unchanged; with `clients_plugin.py`, which says what it replaces; and with the plugin on gilonce's Python
implementation. pytest runs them, except those of Django, which `clients_django.py` runs. It also replaces Django's own
`cached_property`.

For each package the program prints how many unchanged tests passed, failed and were skipped, how many objects of the
package and its tests were replaced, and whether *each test* had the same outcome in every run. If a test had not, the
unchanged tests run once more to find tests whose outcome varies by itself. These are named, and do not count as
differences. A test that fails without gilonce may also fail with it. Known differences are listed here, each with its
reason. A listed difference that does not occur counts as a difference too, so that the list stays honest.

The exit status is 1 if anything differs, if nothing was replaced (which would prove nothing), or if a package cannot be
run. A package that needs another version of Python is skipped. On a Python without a GIL, the program says if an
extension module of a package has enabled it.

`--native` leaves out the last run. DIR keeps the environments, the outputs and pytest's reports.
This is not part of the suite, because it takes some minutes and downloads other people's packages.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from email import message_from_string
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("clients_plugin.py")
DJANGO = Path(__file__).with_name("clients_django.py")
#: The limit for one run of one package's tests, in seconds. Beyond it, something hangs.
LIMIT = 1800

AS_IT_IS = "as it is"
#: The runs with gilonce, and whether each is on the Python implementation.
RUNS = {"native": False, "python": True}


@dataclass(frozen=True)
class Client:
    """A package, and how its tests are run in the folder of its source distribution."""

    name: str
    version: str
    #: The top-level modules whose objects are counted, including those of its tests.
    modules: tuple[str, ...]
    #: Requirements of its tests besides pytest.
    requirements: tuple[str, ...] = ()
    #: Arguments for pytest, or for the runner.
    arguments: tuple[str, ...] = ()
    #: A program that runs the tests instead of pytest. It takes the same options.
    runner: Path | None = None
    #: The tests that must have another outcome with gilonce, with the reason.
    known: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


PYTEST = "pytest==9.2.0"
#: Later versions have a part in Rust, and no wheel for Python 3.13 without a GIL.
HYPOTHESIS = "hypothesis<6.156"
#: Test apps of Django that need only SQLite. The first five use `cached_property` in their tests too.
DJANGO_APPS = (
    "utils_tests", "admin_docs", "foreign_object", "model_fields", "prefetch_related",
    "forms_tests", "queries", "template_tests",
)  # fmt: skip

FUNCTIONAL = "utils_tests.test_functional.FunctionalTests::"
LIBRARY = "template_tests.test_library."

CLIENTS = [
    Client(
        "graphql-core",
        "3.3.2",
        ("graphql", "tests"),
        ("anyio", "pytest-benchmark", "pytest-describe", "pytest-timeout"),
    ),
    Client("packaging", "26.4", ("packaging", "tests"), (HYPOTHESIS, "pip", "pretend", "tomli-w")),
    Client(
        "poetry-core",
        "2.5.0",
        ("poetry", "packaging", "tests"),
        ("build", "pytest-mock", "setuptools", "tomli-w", "trove-classifiers", "virtualenv"),
    ),
    Client(
        "kombu",
        "5.7.0",
        ("kombu", "t"),
        (HYPOTHESIS, "pytest-freezer"),
        # Without the clients for cloud services, which are many and large.
        (
            "--ignore-glob=*/aws*",
            "--ignore-glob=*/SQS*",
            "--ignore-glob=*/test_azurestoragequeues.py",
            "--ignore-glob=*/test_gcpubsub.py",
        ),
    ),
    Client("attrs", "26.1.0", ("attr", "attrs", "tests"), ("cloudpickle", HYPOTHESIS, "pympler")),
    Client("astroid", "4.3.4", ("astroid", "tests"), ("setuptools<82",)),
    Client("networkx", "3.7", ("networkx",), arguments=("networkx",)),
    Client(
        "Django",
        "6.1.3",
        ("django", *DJANGO_APPS),
        ("docutils", "jinja2", "Pillow"),
        DJANGO_APPS,
        DJANGO,
        {
            f"{FUNCTIONAL}test_cached_property_reuse_different_names": "the TypeError names once_property",
            f"{FUNCTIONAL}test_cached_property_set_name_not_called": "the TypeError names once_property, and a remedy",
            f"{LIBRARY}InclusionTagRegistrationTests::test_inclusion_tag_wrapped": "it expects `cache_info`",
            f"{LIBRARY}SimpleTagRegistrationTests::test_simple_tag_wrapped": "it expects `cache_info`",
        },
    ),
    Client(
        "pydantic",
        "2.14.4",
        ("pydantic", "tests"),
        (
            "cloudpickle",
            "dirty-equals",
            "email-validator",
            "faker",
            "jsonschema",
            "pytest-benchmark",
            "pytest-mock",
            "pytest-run-parallel",
            "pytz",
        ),
        # Without the tests of the documentation, which is not in the source distribution, and the benchmarks.
        ("--ignore=tests/test_docs.py", "--ignore=tests/benchmarks"),
        known={
            "tests.test_private_attributes::test_ignored_types_are_ignored_cached_property": (
                "it annotates with the class itself, and pydantic asks whether the class's module is functools"
            )
        },
    ),
    Client(
        "dask",
        "2026.8.0",
        ("dask",),
        # Without distributed: the tests that need it start clusters, and have time limits.
        ("jinja2", "pandas", "pyarrow", "pytest-cov", "pytest-timeout"),
        ("dask/dataframe/dask_expr", "--timeout=0"),
    ),
]


class NotRunError(Exception):
    """The tests of a package did not end. The message says why."""


class PassedOverError(Exception):
    """A package does not support this version of Python. The message says which it supports."""


@dataclass(frozen=True)
class Run:
    """The results of one run of a package's tests."""

    #: For each test: passed, failed, skipped or xfailed; more than one if its teardown failed too.
    outcomes: dict[str, str]
    seconds: float
    #: The number of replaced objects, by name.
    made: dict[str, int]
    #: Whether there was a GIL at the end. An extension module that needs one enables it.
    has_gil: bool = False

    def __str__(self) -> str:
        counts = Counter(self.outcomes.values())
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts, key=lambda o: (o != "passed", o)))


class Workshop:
    """The folder in which one package is unpacked, installed and run."""

    def __init__(self, client: Client, folder: Path, wheel: Path) -> None:
        self.client = client
        self.folder = folder
        self.wheel = wheel
        self.python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        self.source = folder / "source"

    def prepare(self) -> None:
        """Fetch the package; install it, what its tests need, and gilonce."""
        client, archives = self.client, self.folder / "archive"
        # Pip would skip versions that this Python is too old for, and offer another.
        self._do(
            sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python",
            f"--no-binary={client.name}", f"--dest={archives}", f"{client.name}=={client.version}",
        )  # fmt: skip
        (archive,) = archives.iterdir()
        shutil.unpack_archive(archive, self.folder / "unpacked", filter="data")
        next((self.folder / "unpacked").iterdir()).rename(self.source)
        self._check_python()
        self._do(sys.executable, "-m", "venv", str(self.folder / "env"))
        pip = str(self.python), "-m", "pip", "install"
        self._do(*pip, str(self.source), str(self.wheel), PYTEST, *client.requirements)
        # Each is alone in its folder, so that the package does not find the modules beside it here.
        for name, path in (("plugin", PLUGIN), ("runner", client.runner)):
            if path:
                (self.folder / name).mkdir()
                shutil.copy(path, self.folder / name)

    def _check_python(self) -> None:
        wanted = message_from_string((self.source / "PKG-INFO").read_text(encoding="utf-8")).get("Requires-Python", "")
        lower = re.search(r">=\s*3\.(\d+)", wanted)
        if lower and int(lower[1]) > sys.version_info.minor:
            raise PassedOverError(f"wants Python {wanted}")

    def _do(self, *command: str) -> None:
        with (self.folder / "install.txt").open("a") as log:
            if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
                raise NotRunError(f"failed: {' '.join(command)}; see install.txt")

    def run(self, name: str, is_python: bool | None = None) -> Run:
        """Run the tests; with gilonce's Python or native implementation, or without it."""
        report, told_file = self.folder / f"{name}.xml", self.folder / f"{name}.json"
        # Fixed, because it decides the order of sets, and so of tests that are parametrized by a set.
        environ = {**os.environ, "PYTHONHASHSEED": "0", "GILONCE_CLIENTS_MADE": str(told_file)}
        environ.pop("GILONCE_PURE_PYTHON", None)
        # Some tests leave files there and do not expect to find them.
        environ["TMPDIR"] = environ["TEMP"] = tempfile.mkdtemp(dir=self.folder)
        options = [f"--junitxml={report}", *self.client.arguments]
        if self.client.runner:
            program = [str(self.folder / "runner" / self.client.runner.name)]
        else:
            program = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
        if HYPOTHESIS in self.client.requirements:
            options.append("--hypothesis-seed=0")
        if is_python is not None:
            environ["PYTHONPATH"] = str(self.folder / "plugin")
            options[:0] = ["-p", PLUGIN.stem]
        if is_python:
            environ["GILONCE_PURE_PYTHON"] = "1"
        began = time.monotonic()
        with (self.folder / f"{name}.txt").open("w") as log:
            try:
                subprocess.run(
                    [self.python, *program, *options],
                    cwd=self.source, env=environ, stdout=log, stderr=log, timeout=LIMIT, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise NotRunError(f"no end after {LIMIT} seconds; see {log.name}") from None
        if not report.exists():
            raise NotRunError(f"pytest gave no report; see {log.name}")
        run = Run(read_report(report), time.monotonic() - began, {})
        if is_python is None:
            return run
        told = json.loads(told_file.read_text(encoding="utf-8"))
        if told["implementation"] != ("python" if is_python else "native"):
            raise NotRunError(f"gilonce was {told['implementation']}")
        made = {kind: self._own(told[kind]) for kind in ("cached_property", "cache")}
        return replace(run, made=made, has_gil=told["has_gil"])

    def _own(self, made: dict[str, int]) -> int:
        return sum(count for module, count in made.items() if module.partition(".")[0] in self.client.modules)


def read_report(path: Path) -> dict[str, str]:
    """Return the outcome of each test in pytest's report."""
    outcomes: dict[str, list[str]] = {}
    for case in ET.parse(path).iter("testcase"):
        found = []
        for element in case:
            if element.tag in ("failure", "error"):
                found.append("failed")
            elif element.tag == "skipped":
                found.append("xfailed" if element.get("type") == "pytest.xfail" else "skipped")
        # An address in the name of a parameter differs in each run.
        name = re.sub(r"\b0x[0-9a-f]+", "0x", f"{case.get('classname')}::{case.get('name')}")
        outcomes.setdefault(name, []).extend(found or ["passed"])
    return {name: "+".join(sorted(found)) if len(found) > 1 else found[0] for name, found in outcomes.items()}


def differences(one: Run, other: Run) -> dict[str, str]:
    """Return the tests with different outcomes, and those outcomes."""
    return {
        name: f"{one.outcomes.get(name, 'missing')} -> {other.outcomes.get(name, 'missing')}"
        for name in sorted({*one.outcomes, *other.outcomes})
        if one.outcomes.get(name) != other.outcomes.get(name)
    }


def try_client(workshop: Workshop, implementations: Iterable[str]) -> bool:
    """Run the tests of a package in each way and print its line; return whether the outcomes are the same."""
    began = time.monotonic()
    workshop.prepare()
    without = workshop.run(AS_IT_IS)
    runs = {name: workshop.run(name, RUNS[name]) for name in implementations}
    found = {name: differences(without, run) for name, run in runs.items()}
    known = workshop.client.known
    unmet = {test for test in known if any(test not in tests for tests in found.values())}
    found = {name: {t: how for t, how in tests.items() if t not in known} for name, tests in found.items()}
    wavering: dict[str, str] = {}
    if any(found.values()):
        wavering = differences(without, workshop.run(f"{AS_IT_IS}, again"))
        found = {name: {t: how for t, how in tests.items() if t not in wavering} for name, tests in found.items()}
    made = runs["native"].made
    is_proof = any(made.values()) and "passed" in without.outcomes.values()
    verdicts = [f"{name} {'DIFFERS' if tests else 'same'}" for name, tests in found.items()]
    if known:
        verdicts[-1] += f", but {len(known)} known"
    if not is_proof:
        verdicts = ["NO PROOF: nothing replaced, or nothing passed"]
    seconds = [f"{run.seconds:.0f}" for run in (without, *runs.values())]
    print_line(
        workshop.client,
        *(str(count) for count in made.values()),
        str(without),
        ", ".join(verdicts),
        f"{' + '.join(seconds)} of {time.monotonic() - began:.0f} s",
    )
    for name, tests in [*found.items(), ("wavers by itself", wavering)]:
        for test, how in tests.items():
            print(f"    {name}: {test}: {how}", flush=True)
    if sysconfig.get_config_var("Py_GIL_DISABLED") and runs["native"].has_gil:
        print("    an extension module has enabled the GIL", flush=True)
    for test, reason in known.items():
        print(f"    known: {test}: {'IS NO LONGER SO' if test in unmet else reason}", flush=True)
    return is_proof and not any(found.values()) and not unmet


def print_line(client: object, *cells: str) -> None:
    """Print a line of the table."""
    widths = (20, 15, 5, 50, 24)
    print(
        " | ".join(f"{cell!s:{width}}" for cell, width in zip((client, *cells), (*widths, 0), strict=False)), flush=True
    )


def build_gilonce(folder: Path) -> Path:
    """Return a wheel of this checkout, built from a copy, so that the build leaves nothing here."""
    copy = folder / "gilonce"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "gilonce", copy / "gilonce", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, copy)
    with (folder / "gilonce.txt").open("w") as log:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(copy), str(copy)]
        subprocess.run(command, stdout=log, stderr=log, check=True)
    (wheel,) = copy.glob("*.whl")
    return wheel


def main() -> int:
    """Run the packages named, or all; return the exit status."""
    names = [client.name for client in CLIENTS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(names)}; all, if none is named")
    parser.add_argument("--native", action="store_true", help="not on gilonce's Python implementation too")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work and what to keep")
    arguments = parser.parse_args()
    if unknown := set(arguments.packages) - set(names):
        parser.error(f"not in the list: {', '.join(sorted(unknown))}")
    print(f"{platform.python_implementation()} {sys.version}, {time.strftime('%Y-%m-%d')}")
    print_line("package", "cached_property", "cache", AS_IT_IS, "with gilonce", "seconds")
    ok = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        wheel = build_gilonce(folder)
        for client in CLIENTS:
            if client.name not in (arguments.packages or names):
                continue
            home = folder / client.name
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            try:
                ok = try_client(Workshop(client, home, wheel), ["native"] if arguments.native else RUNS) and ok
            except PassedOverError as error:
                print_line(client, f"passed over: {error}")
            except NotRunError as error:
                print_line(client, f"NOT RUN: {error}")
                ok = False
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
