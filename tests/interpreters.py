"""Run the suite on every interpreter: `python tests/interpreters.py [--only NAME ...] [-- PYTEST ARGUMENTS]`.

The interpreters are CPython 3.10 to 3.15, 3.13 without a GIL (3.13t) and as a debug build (3.13d), and PyPy.
Each is sought among pyenv's, on the PATH, with `--get SCRIPT`, which is called with `t` or `d` and prints the path of
that build of 3.13, and in the root directory of another system, `--chroot DIR`, into which the project is copied; that
needs root's rights. Everything at once is

    python tests/interpreters.py --jobs 2 --get ../shared/pythons/get --chroot "$(../shared/pythons/get sid)"

Each gets a fresh environment of its own. There a wheel is built, in which the native core must compile without a
warning, and installed; and there the suite runs, away from the package's source, so that what was installed is what
is tested. CPython must have the native core, and then the suite runs on both implementations; PyPy must not.

What follows `--` goes to pytest, as `-- tests/test_laws.py -k cell`. `--also` names a script in tests/ that runs
afterwards, on each implementation, and `--once` one that knows itself what to run on; as often as one likes, and each
with its arguments in one string, as in `--also "races.py --races 300"`.

What takes longer than `--limit` minutes is ended, with all the processes that it has started.

The exit status is 1 if anything failed; with --require also if an interpreter is missing.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

CHECKOUT = Path(__file__).resolve().parent.parent

#: What an interpreter says of itself.
PROBE = """
import json, platform, sys, sysconfig
implementation, version = platform.python_implementation(), platform.python_version()
full = f"{implementation} {version}"
if hasattr(sys, "pypy_version_info"):
    full = "PyPy {0}.{1}.{2}".format(*sys.pypy_version_info) + f" (Python {version})"
gil, debug = not sysconfig.get_config_var("Py_GIL_DISABLED"), hasattr(sys, "gettotalrefcount")
print(json.dumps([implementation, list(sys.version_info[:2]), gil, debug, full]))
"""

#: What an environment says of the package.
INSTALLED = """
import importlib.util, sys, gilonce
native = importlib.util.find_spec("gilonce._native") is not None
assert gilonce.__implementation__ == ("native" if native else "python"), gilonce.__implementation__
assert native == (sys.implementation.name == "cpython"), "the native core was not built" if not native else "built?"
print("native, python" if native else "python")
"""


@dataclass(frozen=True)
class Kind:
    """An interpreter that is sought: how it is called, what it must be, what its environment needs."""

    name: str
    pyenv: str
    command: str
    implementation: str = "CPython"
    version: tuple[int, int] | None = None
    gil: bool = True
    debug: bool = False
    get: str | None = None
    extras: str = "test,clients"
    requirements: tuple[str, ...] = ()
    #: When wrapt is compiled for it. It has no wheel for a rare build, and runs there in Python if it is not.
    wrapt: Literal["never", "always", "again"] = "never"

    def is_it(self, implementation: str, version: list[int], gil: bool, debug: bool) -> bool:
        """Tell whether an interpreter that says this of itself is the one."""
        wanted = (self.implementation, self.gil, self.debug)
        return (implementation, gil, debug) == wanted and self.version in (None, tuple(version)) and version >= [3, 10]


#: The last one in pure Python: newer ones have no wheel for these, and building one takes Rust.
PURE = ("hypothesis<6.156",)

#: The tests that see whether wrapt runs in C.
WRAPT = ["tests/test_global.py", "tests/test_native.py", "tests/test_laws.py"]

RARE: dict[str, Any] = {"version": (3, 13), "extras": "test", "requirements": PURE}

KINDS = [
    *(Kind(f"3.{minor}", rf"3\.{minor}\.\d+", f"python3.{minor}", version=(3, minor)) for minor in range(10, 16)),
    Kind("3.13t", r"3\.13\.\d+t", "python3.13t", gil=False, get="t", wrapt="again", **RARE),
    Kind("3.13d", r"3\.13\.\d+-debug", "python3.13d", debug=True, get="d", wrapt="always", **RARE),
    Kind("pypy", r"pypy3\.\d+-[\d.]+", "pypy3", implementation="PyPy", extras="test", requirements=PURE),
]


@dataclass(frozen=True)
class Interpreter:
    """One that was found: its path, in the other system's root if it is there, and what it is in full."""

    kind: Kind
    path: str
    root: Path | None
    full: str

    def inside(self, path: Path) -> str:
        """Return a path as the interpreter knows it."""
        return str(path) if self.root is None else f"/{path.relative_to(self.root)}"


def at(root: Path | None, cwd: str, *command: str) -> list[str]:
    """Return the command that runs `command` in a directory, of another system if `root` is given."""
    if root is None:
        return ["env", "-C", cwd, *command]
    # /proc is wanted by PyPy and by multiprocessing; the mount is gone when the command has ended.
    script = 'root=$0; mount --rbind /proc "$root/proc" && exec chroot "$root" env -u TMPDIR -C "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(root), cwd, *command]


def candidates(kind: Kind, options: argparse.Namespace) -> Iterator[tuple[str, Path | None]]:
    """Yield the paths at which an interpreter may be, each with the root that it is in; the best first."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    names = [path.name for path in pyenv.glob("*") if re.fullmatch(kind.pyenv, path.name)]
    for name in sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], reverse=True):
        yield str(pyenv / name / "bin" / "python"), None
    if found := shutil.which(kind.command):
        yield found, None
    if options.get and kind.get:
        yield subprocess.check_output([options.get, kind.get], text=True).strip(), None
    if options.chroot and (options.chroot / "usr" / "bin" / kind.command).exists():
        yield f"/usr/bin/{kind.command}", options.chroot


def find(kind: Kind, options: argparse.Namespace) -> Interpreter | str:
    """Return the interpreter, or why it is not here."""
    reasons = []
    for path, root in candidates(kind, options):
        probe = subprocess.run(at(root, "/", path, "-c", PROBE), capture_output=True, text=True, check=False)
        if probe.returncode:
            reasons.append(f"{path} does not run: {(probe.stderr.strip() or 'no reason given').splitlines()[-1]}")
            continue
        *says, full = json.loads(probe.stdout)
        if kind.is_it(*says):
            return Interpreter(kind, path, root, full)
        reasons.append(f"{path} is {full}")
    return "; ".join(reasons) or f"none of pyenv's, and no {kind.command}"


def is_path(argument: str) -> bool:
    """Return whether an argument for pytest is a path in the checkout, perhaps with a test in it."""
    path = argument.partition("::")[0]
    return (path + "/").startswith("tests/") and (CHECKOUT / path).exists()


class StepError(Exception):
    """A step of making an environment failed."""


#: What runs just now: each is the first process of a session, in which are those that it has started.
running: set[subprocess.Popen[bytes]] = set()


def end_all(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


is_over = threading.Event()


def end_everything(number: int, frame: object) -> None:
    """Be the handler of the signals that end this process: none of them comes to the others' sessions."""
    is_over.set()
    for process in running.copy():
        end_all(process)
    raise SystemExit(128 + number)


@dataclass
class Row:
    """A line of the table, with what else there is to say."""

    name: str
    full: str
    implementations: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    is_missing: bool = False

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Say how long it took."""
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
    """An interpreter's environment, in a directory that has all that belongs to it."""

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
            # Python frees through the sanitizer, and never what it holds at its end.
            self.preloaded = {
                "LD_PRELOAD": " ".join(paths),
                "PYTHONMALLOC": "malloc",
                "ASAN_OPTIONS": "detect_leaks=0",
            }

    def run(self, *command: str, **variables: str) -> str:
        """Run a command in the environment's empty directory, its output going to the log; return what went wrong."""
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
                # To most of ours that is to show all stacks.
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
        """Run a command that everything after it depends on."""
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
        """Make the environment, with all that the tests need; return the implementations that are there."""
        kind, inside = self.interpreter.kind, self.interpreter.inside
        # A copy, because a build leaves things behind that the next one, for another interpreter, would use.
        ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "*.so")
        shutil.copytree(CHECKOUT, self.source, ignore=ignored)
        self.must(self.interpreter.path, "-m", "venv", inside(self.folder / "venv"))
        pip = self.pip
        wheels = self.folder / "wheels"
        build = [*pip, "wheel", "-v", "--no-deps", "-w", inside(wheels), inside(self.source)]
        linker_options = self.compiler_options if self.options.sanitize else ""
        self.must(*build, CFLAGS=self.compiler_options, LDFLAGS=linker_options)
        (wheel,) = wheels.glob("gilonce-*.whl")
        self.must(
            *pip,
            "install",
            "-q",
            "--no-compile",
            f"{inside(wheel)}[{','.join([kind.extras, *self.options.extras])}]",
            *kind.requirements,
        )
        if kind.wrapt == "always":
            self.compile_wrapt()
        # From here on the log is for what the tests say.
        self.log.rename(self.folder / "log of the installation")
        self.must(self.python, "-c", INSTALLED, **self.preloaded)
        return self.log.read_text().splitlines()[-1]

    def compile_wrapt(self) -> None:
        """Have wrapt's own part in C."""
        self.must(*self.pip, "install", "-q", "--force-reinstall", "--no-deps", "--no-binary=wrapt", "wrapt")

    def suite(self, row: Row, chosen: list[str]) -> None:
        """Run the suite, or what pytest's arguments choose of it, and count."""
        junit, inside = self.folder / "junit.xml", self.interpreter.inside
        junit.unlink(missing_ok=True)
        arguments = [self._in_source(argument) if is_path(argument) else argument for argument in chosen]
        if not any(map(is_path, chosen)):
            arguments.append(inside(self.source / "tests"))
        config = inside(self.source / "pyproject.toml")
        coverage = ["-m", "coverage", "run", "--rcfile", config] if self.options.coverage else []
        pytest = ["-m", "pytest", "-q", "-c", config, "--rootdir", inside(self.source), "-p", "no:cacheprovider"]
        command = [self.python, *coverage, *pytest, f"--junitxml={inside(junit)}", *arguments]
        if wrong := self.run(*command, **self.preloaded):
            row.problems.append(f"{wrong}: pytest")
        if junit.exists():
            row.count(junit)
        if coverage and self.run(self.python, "-m", "coverage", "report", "--rcfile", config):
            row.problems.append("coverage is not what it must be")

    def script(self, row: Row, command: str, **variables: str) -> None:
        """Run a script in tests/, with arguments."""
        name, *arguments = shlex.split(command)
        path = self.interpreter.inside(self.source / "tests" / name)
        if wrong := self.run(self.python, path, *arguments, **self.preloaded, **variables):
            row.problems.append(f"{wrong}: {shlex.join([*map('='.join, variables.items())])} {command}")

    def _in_source(self, argument: str) -> str:
        """Return a path in the checkout, given to pytest, as one in the copy."""
        path, separator, test = argument.partition("::")
        return self.interpreter.inside(self.source / path) + separator + test


printing = threading.Lock()


def test(kind: Kind, folder: Path, options: argparse.Namespace) -> list[Row]:
    """Do everything for one interpreter, then print its log; return its lines of the table."""
    interpreter = find(kind, options)
    if isinstance(interpreter, str):
        return [Row(kind.name, f"not here: {interpreter}", is_missing=True)]
    row = Row(kind.name, interpreter.full + ", sanitized" * options.sanitize)
    rows = [row]
    with contextlib.ExitStack() as stack:
        if interpreter.root is not None:
            # What a chroot is to see must be within it.
            within = tempfile.TemporaryDirectory(prefix="gilonce-", dir=interpreter.root / "tmp")
            folder = Path(stack.enter_context(within))
        environment = Environment(interpreter, folder / kind.name, options)
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
            if kind.wrapt == "again" and is_whole:
                row = Row(kind.name, f"{interpreter.full}, wrapt in C", row.implementations)
                rows.append(row)
                with row.timed():
                    environment.compile_wrapt()
                    environment.suite(row, [*options.pytest, *WRAPT])
        except StepError as error:
            row.problems.append(str(error))
        with printing:
            print(f"\n== {kind.name}: {interpreter.full}, {interpreter.path}", flush=True)
            if not rows[0].counts and (log := environment.folder / "log of the installation").exists():
                print(log.read_text(errors="replace"))
            print(environment.log.read_text(errors="replace"), flush=True)
    return rows


def show(rows: list[Row]) -> None:
    """Print the table, and below it what went wrong."""
    width = 30  # the same in every run, so that CI can put the lines of several together
    numbers = ["passed", "failed", "skipped", "xfailed"]
    print(f"\n{'':7}{'interpreter':{width}}  {'implementations':15}", *(f"{name:>7}" for name in numbers), "seconds")
    for row in rows:
        if row.is_missing:
            print(f"{row.name:7}{row.full}")
        else:
            counts = (f"{row.counts[name]:7}" for name in numbers)
            print(f"{row.name:7}{row.full:{width}}  {row.implementations:15}", *counts, f"{row.seconds:7.0f}")
    for row in rows:
        for problem in row.problems:
            print(f"{row.name}: {problem}")


def main() -> int:
    """Run them all; return the exit status."""
    # A shell has its background jobs ignore it, and so would the tests of what Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_everything)
    names = [kind.name for kind in KINDS]
    ours = sys.argv[1:]
    pytest: list[str] = []
    if "--" in ours:
        ours, pytest = ours[: ours.index("--")], ours[ours.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--jobs", type=int, default=1, help="how many interpreters at once")
    parser.add_argument("--get", metavar="SCRIPT", help="finds builds of 3.13")
    parser.add_argument("--chroot", type=Path, metavar="DIR", help="the root directory of another system")
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
    kinds = [kind for kind in KINDS if kind.name in options.only]
    if options.find:
        found = [find(kind, options) for kind in kinds]
        for interpreter in found:
            print(interpreter.path if isinstance(interpreter, Interpreter) else interpreter)
        return 1 if any(isinstance(interpreter, str) for interpreter in found) else 0
    with tempfile.TemporaryDirectory(prefix="gilonce-") as folder, ThreadPoolExecutor(options.jobs) as lanes:
        rows = [row for rows in lanes.map(lambda kind: test(kind, Path(folder), options), kinds) for row in rows]
    show(rows)
    return 1 if any(row.problems or (options.require and row.is_missing) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
