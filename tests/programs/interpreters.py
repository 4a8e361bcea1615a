"""Run the suite on every interpreter: `python tests/programs/interpreters.py [--only NAME ...] [-- PYTEST ARGUMENTS]`.

The interpreters are CPython 3.10 to 3.15, 3.13 without a GIL (3.13t), as a debug build (3.13d) and for 32-bit x86
(i386), and PyPy. The program looks for each among pyenv's versions and on the PATH. `--get SCRIPT` names a script that
prints the path of a build of 3.13 when it is called with `t` or `d`. `--chroot DIR` names the root directory of another
system, into which the project is copied; this needs root's rights. The option may be given several times. To run
everything:

    python tests/programs/interpreters.py --jobs 2 --get SCRIPT --chroot SID --chroot I386

Each interpreter gets a fresh environment. There the program builds a wheel, whose native core must compile without a
warning, and installs it. The suite runs away from the package's source, so it tests what was installed. CPython must
have the native core, and the suite runs on both implementations. PyPy must not have it.

Arguments after `--` go to pytest, as in `-- tests/laws/test_laws.py -k cell`. `--also` names a program in
tests/programs/ that runs afterwards, on each implementation. `--once` names a program that chooses implementations by
itself. Both may be given several times, each with the program's arguments in the same string, as in `--also "races.py
--races 300"`.

A command that takes longer than `--limit` minutes is ended, with all processes that it has started.

The exit status is 1 if anything failed, and with --require also if an interpreter is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

CHECKOUT = Path(__file__).resolve().parents[2]

#: Makes an interpreter describe itself.
PROBE = """
import json, platform, struct, sys, sysconfig
implementation, version = platform.python_implementation(), platform.python_version()
full = f"{implementation} {version}"
if hasattr(sys, "pypy_version_info"):
    full = "PyPy {0}.{1}.{2}".format(*sys.pypy_version_info) + f" (Python {version})"
gil, debug = not sysconfig.get_config_var("Py_GIL_DISABLED"), hasattr(sys, "gettotalrefcount")
bits = 8 * struct.calcsize("P")
processor = platform.machine()
if processor == "x86_64":
    # What Linux says is the processor of the machine, which also runs programs for the 32-bit one.
    processor = "x86-64" if bits == 64 else "32-bit x86"
compiler_options = sysconfig.get_config_var("CFLAGS") or ""
print(json.dumps([implementation, list(sys.version_info[:2]), gil, debug, bits, full, processor, compiler_options]))
"""

#: Checks the package in an environment, and prints its implementations.
INSTALLED = """
import importlib.util, sys, gilonce
native = importlib.util.find_spec("gilonce._native.core") is not None
assert gilonce.__implementation__ == ("native" if native else "python"), gilonce.__implementation__
assert native == (sys.implementation.name == "cpython"), "the native core was not built" if not native else "built?"
print("native, python" if native else "python")
"""


@dataclass(frozen=True)
class Wanted:
    """A wanted interpreter: its names, the properties that it must have, and what its environment needs."""

    name: str
    pyenv: str
    command: str
    implementation: str = "CPython"
    version: tuple[int, int] | None = None
    gil: bool = True
    debug: bool = False
    bits: int = 64
    get: str | None = None
    extras: str = "test,clients"
    requirements: tuple[str, ...] = ()
    #: When to compile wrapt. Rare builds have no wheel of it, and use its Python version unless it is compiled.
    wrapt: Literal["never", "always", "again"] = "never"

    def is_it(self, implementation: str, version: list[int], gil: bool, debug: bool, bits: int) -> bool:
        """Return whether an interpreter that describes itself like this is the wanted one."""
        is_build = (implementation, gil, debug, bits) == (self.implementation, self.gil, self.debug, self.bits)
        return is_build and self.version in (None, tuple(version)) and version >= [3, 10]


#: The last version in pure Python: newer ones have no wheel for these builds, and need Rust to be built.
PURE = ("hypothesis<6.156",)

#: The tests that depend on whether wrapt is compiled.
WRAPT = [
    *(f"tests/surfaces/{path.name}" for path in sorted((CHECKOUT / "tests" / "surfaces").glob("test_lazy_global*.py"))),
    "tests/native",
    "tests/laws/test_laws.py",
]

RARE: dict[str, Any] = {"version": (3, 13), "extras": "test", "requirements": PURE}

WANTED = [
    *(Wanted(f"3.{minor}", rf"3\.{minor}\.\d+", f"python3.{minor}", version=(3, minor)) for minor in range(10, 16)),
    Wanted("3.13t", r"3\.13\.\d+t", "python3.13t", gil=False, get="t", wrapt="again", **RARE),
    Wanted("3.13d", r"3\.13\.\d+-debug", "python3.13d", debug=True, get="d", wrapt="always", **RARE),
    Wanted("i386", r"3\.13\.\d+-i386", "python3.13", bits=32, wrapt="always", **RARE),
    Wanted("pypy", r"pypy3\.\d+-[\d.]+", "pypy3", implementation="PyPy", extras="test", requirements=PURE),
]


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that was found: its path, the root directory if it is on another system, what it says it is."""

    wanted: Wanted
    path: str
    root: Path | None
    full: str
    processor: str
    #: What it was compiled with itself.
    compiler_options: str

    def inside(self, path: Path) -> str:
        """Return a path as the interpreter sees it."""
        return str(path) if self.root is None else f"/{path.relative_to(self.root)}"


def at(root: Path | None, cwd: str, *command: str) -> list[str]:
    """Return the command that runs `command` in a directory, on another system if `root` is given."""
    if root is None:
        return ["env", "-C", cwd, *command]
    # PyPy and multiprocessing need /proc. The mount ends with the command.
    script = 'root=$0; mount --rbind /proc "$root/proc" && exec chroot "$root" env -u TMPDIR -C "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(root), cwd, *command]


def candidates(wanted: Wanted, options: argparse.Namespace) -> Iterator[tuple[str, Path | None]]:
    """Yield the paths at which an interpreter may be, each with its root directory, the best first."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    names = [path.name for path in pyenv.glob("*") if re.fullmatch(wanted.pyenv, path.name)]
    for name in sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], reverse=True):
        yield str(pyenv / name / "bin" / "python"), None
    if found := shutil.which(wanted.command):
        yield found, None
    if options.get and wanted.get:
        yield subprocess.check_output([options.get, wanted.get], text=True).strip(), None
    for root in options.chroot:
        if (root / "usr" / "bin" / wanted.command).exists():
            yield f"/usr/bin/{wanted.command}", root


def find(wanted: Wanted, options: argparse.Namespace) -> Interpreter | str:
    """Return the interpreter, or why it is missing."""
    reasons = []
    for path, root in candidates(wanted, options):
        probe = subprocess.run(at(root, "/", path, "-c", PROBE), capture_output=True, text=True, check=False)
        if probe.returncode:
            reasons.append(f"{path} does not run: {(probe.stderr.strip() or 'no reason given').splitlines()[-1]}")
            continue
        *says, full, processor, compiler_options = json.loads(probe.stdout)
        if wanted.is_it(*says):
            return Interpreter(wanted, path, root, full, processor, compiler_options)
        reasons.append(f"{path} is {full} for {processor}")
    return "; ".join(reasons) or f"none of pyenv's, and no {wanted.command}"


def is_path(argument: str) -> bool:
    """Return whether an argument for pytest is a path in the checkout, with or without a test."""
    path = argument.partition("::")[0]
    return (path + "/").startswith("tests/") and (CHECKOUT / path).exists()


class StepError(Exception):
    """A step of making an environment failed."""


#: The running processes. Each is the first of a session, which contains the processes that it has started.
running: set[subprocess.Popen[bytes]] = set()


def end_all(process: subprocess.Popen[bytes]) -> None:
    """End a process and the processes that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


is_over = threading.Event()


def end_everything(number: int, frame: object) -> None:
    """Handle the signals that end this process. They do not reach the sessions of the others."""
    is_over.set()
    for process in running.copy():
        end_all(process)
    raise SystemExit(128 + number)


@dataclass
class Row:
    """A line of the table, and the problems that are listed below it."""

    name: str
    full: str
    processor: str = ""
    has_gil: bool = True
    implementations: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    is_missing: bool = False

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Measure how long it takes."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds = time.monotonic() - start

    def count(self, junit: Path) -> None:
        """Add the results in a file that pytest wrote."""
        for case in ET.parse(junit).iter("testcase"):
            outcomes = {child.tag: child.get("type") for child in case}
            if outcomes.keys() & {"failure", "error"}:
                self.counts["failed"] += 1
            elif "skipped" in outcomes:
                self.counts["xfailed" if outcomes["skipped"] == "pytest.xfail" else "skipped"] += 1
            else:
                self.counts["passed"] += 1


class Environment:
    """An interpreter's environment, in a directory that contains everything that belongs to it."""

    def __init__(self, interpreter: Interpreter, folder: Path, options: argparse.Namespace) -> None:
        self.interpreter = interpreter
        self.options = options
        self.folder = folder
        self.source = folder / "source"
        self.away = folder / "away"
        self.log = folder / "log"
        self.away.mkdir(parents=True)
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "PYTHONHOME", "GILONCE_PURE_PYTHON")
        }
        self.compiler_options = "-Wall -Wextra -Werror"
        self.preloaded: dict[str, str] = {}
        if options.sanitize:
            self.compiler_options = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
            libraries = [f"-print-file-name=lib{name}.so" for name in ("asan", "ubsan")]
            paths = [subprocess.check_output(["gcc", library], text=True).strip() for library in libraries]
            # Python frees memory through the sanitizer, but not what it still holds at its end.
            self.preloaded = {
                "LD_PRELOAD": " ".join(paths),
                "PYTHONMALLOC": "malloc",
                "ASAN_OPTIONS": "detect_leaks=0",
            }

    def run(self, *command: str, **variables: str) -> str:
        """Run a command in the environment's empty directory, with its output in the log; return what went wrong."""
        with self.log.open("ab") as log:
            log.write(f"$ {shlex.join(command)}\n".encode())
            log.flush()
            whole = at(self.interpreter.root, self.interpreter.inside(self.away), *command)
            process = subprocess.Popen(
                whole,
                env={**self.variables, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            running.add(process)
            try:
                if is_over.is_set():
                    raise StepError("interrupted")
                status = process.wait(60 * self.options.limit)
            except subprocess.TimeoutExpired:
                # Most of our processes show all stacks at this signal.
                process.send_signal(signal.SIGABRT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                return f"not done after {self.options.limit:g} minutes, and ended"
            finally:
                end_all(process)
                process.wait()
                running.discard(process)
            return f"exit status {status}" if status else ""

    def must(self, *command: str, **variables: str) -> None:
        """Run a command that must succeed."""
        if wrong := self.run(*command, **variables):
            raise StepError(f"{wrong}: {shlex.join(command)}")

    @property
    def python(self) -> str:
        """The interpreter's path in the environment."""
        return self.interpreter.inside(self.folder / "venv" / "bin" / "python")

    @property
    def pip(self) -> list[str]:
        """The command that installs there."""
        return [self.python, "-m", "pip", "--disable-pip-version-check"]

    def make(self) -> str:
        """Make the environment, with everything that the tests need; return the implementations."""
        wanted, inside = self.interpreter.wanted, self.interpreter.inside
        # A copy, because a build leaves files that the next build, for another interpreter, would use.
        ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "*.so")
        shutil.copytree(CHECKOUT, self.source, ignore=ignored)
        self.must(self.interpreter.path, "-m", "venv", inside(self.folder / "venv"))
        pip = self.pip
        wheels = self.folder / "wheels"
        build = [*pip, "wheel", "-v", "--no-deps", "-w", inside(wheels), inside(self.source)]
        linker_options = self.compiler_options if self.options.sanitize else ""
        # setuptools would compile with CFLAGS alone: without optimizations, and with assertions that no user has.
        options = f"{self.interpreter.compiler_options} {self.compiler_options}"
        self.must(*build, CFLAGS=options, LDFLAGS=linker_options)
        (wheel,) = wheels.glob("gilonce-*.whl")
        self.must(
            *pip,
            "install",
            "-q",
            "--no-compile",
            f"{inside(wheel)}[{','.join([wanted.extras, *self.options.extras])}]",
            *wanted.requirements,
        )
        if wanted.wrapt == "always":
            self.compile_wrapt()
        # From here on, the log is for the output of the tests.
        self.log.rename(self.folder / "log of the installation")
        self.must(self.python, "-c", INSTALLED, **self.preloaded)
        return self.log.read_text().splitlines()[-1]

    def compile_wrapt(self) -> None:
        """Compile wrapt."""
        self.must(*self.pip, "install", "-q", "--force-reinstall", "--no-deps", "--no-binary=wrapt", "wrapt")

    def suite(self, row: Row, chosen: list[str]) -> None:
        """Run the suite, or the part that pytest's arguments select, and count."""
        junit, inside = self.folder / "junit.xml", self.interpreter.inside
        junit.unlink(missing_ok=True)
        arguments = [self._in_source(argument) if is_path(argument) else argument for argument in chosen]
        if not any(map(is_path, chosen)):
            arguments.append(inside(self.source / "tests"))
        config = inside(self.source / "pyproject.toml")
        coverage = ["-m", "coverage", "run", "--rcfile", config] if self.options.coverage else []
        pytest = ["-m", "pytest", "-q", "-c", config, "--rootdir", inside(self.source), "-p", "no:cacheprovider"]
        pytest += ["-m", ""]  # the slow tests too
        command = [self.python, *coverage, *pytest, f"--junitxml={inside(junit)}", *arguments]
        if wrong := self.run(*command, **self.preloaded):
            row.problems.append(f"{wrong}: pytest")
        if junit.exists():
            row.count(junit)
        if coverage and self.run(self.python, "-m", "coverage", "report", "--rcfile", config):
            row.problems.append("coverage is not what it must be")

    def script(self, row: Row, command: str, **variables: str) -> None:
        """Run a script in tests/programs/, with arguments."""
        name, *arguments = shlex.split(command)
        path = self.interpreter.inside(self.source / "tests" / "programs" / name)
        if wrong := self.run(self.python, path, *arguments, **self.preloaded, **variables):
            row.problems.append(f"{wrong}: {shlex.join([*map('='.join, variables.items())])} {command}")

    def _in_source(self, argument: str) -> str:
        """Return the path in the copy for a path in the checkout that is given to pytest."""
        path, separator, test = argument.partition("::")
        return self.interpreter.inside(self.source / path) + separator + test


printing = threading.Lock()


def test(wanted: Wanted, folder: Path, options: argparse.Namespace) -> list[Row]:
    """Run everything on one interpreter, then print its log; return its lines of the table."""
    interpreter = find(wanted, options)
    if isinstance(interpreter, str):
        return [Row(wanted.name, f"not here: {interpreter}", is_missing=True)]
    row = Row(wanted.name, interpreter.full + ", sanitized" * options.sanitize, interpreter.processor, wanted.gil)
    rows = [row]
    with contextlib.ExitStack() as stack:
        if interpreter.root is not None:
            # A chroot sees only files within it.
            within = tempfile.TemporaryDirectory(prefix="gilonce-", dir=interpreter.root / "tmp")
            folder = Path(stack.enter_context(within))
        environment = Environment(interpreter, folder / wanted.name, options)
        try:
            with row.timed():
                row.implementations = environment.make()
                if not options.no_suite:
                    environment.suite(row, options.pytest)
                for command in options.once:
                    environment.script(row, command)
                for command in options.also:
                    for implementation in row.implementations.split(", "):
                        environment.script(row, command, GILONCE_PURE_PYTHON="1" if implementation == "python" else "")
            is_whole = not options.no_suite and not any(map(is_path, options.pytest))
            if wanted.wrapt == "again" and is_whole:
                row = replace(row, full=f"{interpreter.full}, wrapt in C", counts=Counter(), problems=[])
                rows.append(row)
                with row.timed():
                    environment.compile_wrapt()
                    environment.suite(row, [*options.pytest, *WRAPT])
        except StepError as error:
            row.problems.append(str(error))
        with printing:
            print(f"\n== {wanted.name}: {interpreter.full}, {interpreter.path}", flush=True)
            if not rows[0].counts and (log := environment.folder / "log of the installation").exists():
                print(log.read_text(errors="replace"))
            print(environment.log.read_text(errors="replace"), flush=True)
    return rows


#: The columns of the table before those of the numbers. They have the same width in every run, so that CI can join the
#: lines of several runs.
COLUMNS = "{:6} {:30} {:10} {:3} {:15}"
NUMBERS = ["passed", "failed", "skipped", "xfailed"]


def show(rows: list[Row]) -> None:
    """Print the table, and the problems below it."""
    titles = COLUMNS.format("", "interpreter", "processor", "GIL", "implementations")
    print(f"\n{titles}", *(f"{name:>7}" for name in NUMBERS), "seconds")
    for row in rows:
        if row.is_missing:
            print(f"{row.name:6} {row.full}")
        else:
            gil = "yes" if row.has_gil else "no"
            counts = (f"{row.counts[name]:7}" for name in NUMBERS)
            first = COLUMNS.format(row.name, row.full, row.processor, gil, row.implementations)
            print(first, *counts, f"{row.seconds:7.0f}")
    for row in rows:
        for problem in row.problems:
            print(f"{row.name}: {problem}")


def main() -> int:
    """Run them all; return the exit status."""
    # A shell makes its background jobs ignore SIGINT, and the tests of Ctrl-C would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_everything)
    names = [wanted.name for wanted in WANTED]
    ours = sys.argv[1:]
    pytest: list[str] = []
    if "--" in ours:
        ours, pytest = ours[: ours.index("--")], ours[ours.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--jobs", type=int, default=1, help="how many interpreters at once")
    parser.add_argument("--get", metavar="SCRIPT", help="finds builds of 3.13")
    parser.add_argument(
        "--chroot", type=Path, action="append", default=[], metavar="DIR", help="the root directory of another system"
    )
    parser.add_argument("--limit", type=float, default=30.0, metavar="MINUTES", help="for each command (default: 30)")
    parser.add_argument("--require", action="store_true", help="a missing interpreter is a failure")
    parser.add_argument("--find", action="store_true", help="only print the paths of the interpreters that are here")
    parser.add_argument(
        "--also", action="append", default=[], metavar="'SCRIPT ...'", help="run it on each implementation"
    )
    parser.add_argument("--once", action="append", default=[], metavar="'SCRIPT ...'", help="run it once")
    parser.add_argument("--extras", action="append", default=[], metavar="NAME", help="install an extra, too")
    parser.add_argument("--no-suite", action="store_true", help="only run these scripts")
    parser.add_argument(
        "--coverage", action="store_true", help="measure coverage, which must be as pyproject.toml says"
    )
    parser.add_argument("--sanitize", action="store_true", help="with the address and undefined behaviour sanitizers")
    options = parser.parse_args(ours, argparse.Namespace(pytest=pytest))
    chosen = [wanted for wanted in WANTED if wanted.name in options.only]
    if options.find:
        found = [find(wanted, options) for wanted in chosen]
        for interpreter in found:
            print(interpreter.path if isinstance(interpreter, Interpreter) else interpreter)
        return 1 if any(isinstance(interpreter, str) for interpreter in found) else 0
    with tempfile.TemporaryDirectory(prefix="gilonce-") as folder, ThreadPoolExecutor(options.jobs) as lanes:
        rows = [row for rows in lanes.map(lambda wanted: test(wanted, Path(folder), options), chosen) for row in rows]
    show(rows)
    return 1 if any(row.problems or (options.require and row.is_missing) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
