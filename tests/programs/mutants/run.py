"""Would the tests notice a mistake?

    python tests/programs/mutants/run.py [NAME ...] [--needs WHAT] [--require] [--jobs N] [--list]

The program breaks the code on purpose, one mistake at a time, and runs the tests that must notice it. The mutants in
`python_*.py` are for the Python implementation. Those in `c_*.py` are for the native core, which is compiled with the
mistake for the interpreter that runs this program. NAME is a part of a mutant's name; without one, all mutants are run.

No file here is changed: each mutant is made in a copy in a temporary folder. First the same tests run in a copy without
a mistake, and must pass.

A mutant is killed if a test fails. It is an error if the mutant cannot be compiled or imported, or if its tests are not
found or cannot be set up: such failures say nothing about the tests. A crash of the interpreter is a kill. If the
mistake makes a thread wait for ever, a run without an end is a kill too; the report distinguishes them. The exit status
is 1 unless every mutant that could be run was killed. With `--require` it is also 1 if a mutant could not be run
because something is missing that can be installed, such as frontrun. A mutant that needs another build of Python is run
there. `--needs "a build without a GIL"` runs only those.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import c_cells
import c_surfaces
import once_per_args
import overriding
import python_exclusive
import python_other_cells
import python_racing
import python_storage
import python_surfaces
from _pytest.config import default_plugins
from mutant import CONDITIONS, GIL, NO_GIL, Mutant

CHECKOUT = Path(__file__).resolve().parents[3]

#: The limit for the tests of one mutant, in seconds.
LIMIT = 60.0

#: The limit if the mistake makes a thread wait. Tests that do not wait take a second or two, and tests that wait give
#: up soon (see `PATIENCE`). A run that takes longer never ends, even on a slow machine.
LIMIT_OF_WAITING = 20.0

#: The limit for the tests of all mutants together, without a mistake, in seconds.
ORIGINAL_LIMIT = 900.0

#: How often the tests run before a mutant counts as survived, because a race may miss its moment once.
TRIES = 3

#: A replacement in the tests, which makes threads give up soon. It is for mutants that make threads wait.
PATIENCE = "tests/support/__init__.py", "WATCHDOG = 30.0", "WATCHDOG = 3.0"

#: Starts the processes that run the tests. Where there is a fork, each has imported this before: pytest and what the
#: tests import take longer to import than most tests take.
PROCESSES: Any = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
PRELOADED = ["__main__", *(f"_pytest.{name}" for name in default_plugins), "_pytest.pytester", "hypothesis", "wrapt"]

MODULES = {
    "python": [python_racing, python_exclusive, python_other_cells, python_storage, python_surfaces],
    "native": [c_cells, c_surfaces],
}
MUTANTS = {
    implementation: [mutant for module in modules for mutant in module.MUTANTS]
    for implementation, modules in MODULES.items()
}
MUTANTS["python"] += [*once_per_args.PYTHON, *overriding.PYTHON]
MUTANTS["native"] += [*once_per_args.C, *overriding.C]


class BrokenError(Exception):
    """A mutant, or a copy, that says nothing about the tests."""


def environment(copy: Path, implementation: str) -> dict[str, str]:
    """Return the environment in which every process imports the package in `copy`."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "GILONCE"))
    }
    environ["PYTHONPATH"] = str(copy)
    # The tests need no plugin, and loading the installed ones takes longer than most tests.
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if implementation == "python":
        environ["GILONCE_PURE_PYTHON"] = "1"
    return environ


def compile_core(copy: Path) -> None:
    """Build the native core in place, as the interpreter itself was built, but fast."""
    variables = sysconfig.get_config_vars()
    target = copy / "gilonce" / "_native" / f"core{variables['EXT_SUFFIX']}"
    target.unlink(missing_ok=True)
    # The last `-O` counts. Warnings are off, because a mistake may leave a variable unused.
    command = [
        *shlex.split(variables["LDSHARED"]),
        *shlex.split(variables["CFLAGS"]),
        *shlex.split(variables["CCSHARED"]),
        *("-O0", "-g0", "-w", "-I", sysconfig.get_path("include")),
        *("gilonce/_native/module.c", "-o", str(target)),
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BrokenError(f"it does not compile:\n{done.stderr}")


def check_import(copy: Path, implementation: str) -> None:
    """Check that the import finds the copy and the right implementation."""
    source = "import gilonce; print(gilonce.__file__, gilonce.__implementation__)"
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=copy,
        env=environment(copy, implementation),
        capture_output=True,
        text=True,
        check=False,
    )
    expected = f"{copy / 'gilonce' / '__init__.py'} {implementation}\n"
    if (done.returncode, done.stdout) != (0, expected):
        raise BrokenError(f"what is imported is not the copy:\n{done.stdout}{done.stderr}")


def run_tests(
    copy: Path, implementation: str, tests: list[str], *, limit: float, has_watchdog: bool = False
) -> tuple[int | None, str]:
    """Run the tests in `copy`, up to the first that fails; return pytest's exit status (None: it hangs) and output."""
    ids = [f"tests/{test.format(implementation)}" for test in tests]
    options = ["-q", "-x", "-m", "", "-p", "no:cacheprovider", "--tb=short"]
    # pytest's own watchdog ends with the exit status of a failed test. An exploration takes minutes.
    options += ["-o", f"faulthandler_timeout={600 if has_watchdog else 0}"]
    output = copy.with_name("output")
    process = PROCESSES.Process(
        target=run_pytest, args=(copy, environment(copy, implementation), [*options, *ids], output)
    )
    process.start()
    try:
        process.join(limit)
        status = process.exitcode
    finally:
        end_all(process)
    return status, output.read_text("utf-8", "replace")


def run_pytest(copy: Path, environ: dict[str, str], arguments: list[str], output: Path) -> None:
    """Do what `python -m pytest` does, in a process that has imported pytest already."""
    if hasattr(os, "setsid"):
        os.setsid()
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(copy)
    os.environ.clear()
    os.environ.update(environ)
    sys.path.insert(0, str(copy))
    sys.argv[1:] = arguments
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


def end_all(process: BaseProcess) -> None:
    """End a process and the processes that it has started, because a hang may be in any of them."""
    assert process.pid is not None
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def make_original(folder: Path, implementation: str) -> Path:
    """Make a copy without a mistake, in which the named tests pass."""
    copy = folder / implementation / "original"
    copy.mkdir(parents=True)
    unwanted = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", ".*", "mutants", "benchmarks")
    for name in ("gilonce", "tests"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=unwanted)
    shutil.copy2(CHECKOUT / "pyproject.toml", copy)
    if implementation == "native":
        compile_core(copy)
    check_import(copy, implementation)
    return copy


def make_mutant(folder: Path, implementation: str, mutant: Mutant) -> Path:
    """Make a copy with the mistake in it."""
    copy = Path(tempfile.mkdtemp(dir=folder / implementation)) / "copy"
    # Links are faster than copies. The compiled files stay valid, too, except for that of the file that changes.
    shutil.copytree(folder / implementation / "original", copy, copy_function=os.link)
    rewrite(copy, f"gilonce/{mutant.file}", mutant.apply)
    if mutant.hangs:
        file, old, new = PATIENCE
        rewrite(copy, file, Mutant("the patience of the tests", file, old, new, ()).apply)
    if implementation == "native":
        compile_core(copy)
    return copy


def rewrite(copy: Path, name: str, change: Callable[[str], str]) -> None:
    """Change a file of the copy."""
    file = copy / name
    text = change(file.read_text("utf-8"))
    file.unlink()  # a link, which must not be written through
    file.write_text(text, "utf-8")
    # Python compares only the size and the second of the last change, so it could use an old compiled file.
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def verdict(folder: Path, implementation: str, mutant: Mutant) -> tuple[str, str]:
    """Return the verdict on a mutant, and a remark."""
    copy = make_mutant(folder, implementation, mutant)
    limit = LIMIT_OF_WAITING if mutant.hangs else LIMIT
    for _ in range(TRIES):
        status, output = run_tests(copy, implementation, list(mutant.tests), limit=limit)
        if status != 0:
            break
    shutil.rmtree(copy.parent)
    if status is None:
        if mutant.hangs:
            return "killed (hangs)", ""
        raise BrokenError(f"it hangs, and is not meant to:\n{output}")
    if status < 0:
        return "killed (crashes)", f"signal {-status}"
    failed = re.findall(r"^FAILED tests/(\S+)", output, re.MULTILINE)
    if status == 1 and failed:
        return "killed", failed[0]
    if status == 0 and re.search(r"\d+ passed", output):
        return "SURVIVED", "none of its tests failed"
    raise BrokenError(f"pytest, with exit status {status}, says nothing about it:\n{output}")


def judge(folder: Path, implementation: str, mutant: Mutant) -> tuple[str, str]:
    """Run a mutant, print a line about it, and return the verdict and the line."""
    begin = time.perf_counter()
    try:
        word, remark = verdict(folder, implementation, mutant)
    except BrokenError as error:
        word, remark = "ERROR", str(error)
    seconds = f"{time.perf_counter() - begin:5.1f} s"
    line = f"{word:<17}{seconds}  {implementation}: {mutant.name}{remark and f' ({remark})'}"
    print(line, flush=True)
    return word, line


def check_originals(folder: Path, chosen: list[tuple[str, Mutant]]) -> bool:
    """Run all the tests that the chosen mutants name, without a mistake; return whether they pass."""
    for implementation in MUTANTS:
        # A dict, for the order.
        tests = {test: None for name, mutant in chosen if name == implementation for test in mutant.tests}
        if not tests:
            continue
        begin = time.perf_counter()
        try:
            copy = make_original(folder, implementation)
        except BrokenError as error:
            print(f"{implementation}: without a mistake, {error}")
            return False
        status, output = run_tests(copy, implementation, list(tests), limit=ORIGINAL_LIMIT, has_watchdog=True)
        if status != 0:
            how = f"are not done after {ORIGINAL_LIMIT:.0f} s" if status is None else "do not pass"
            print(f"{implementation}: without a mistake, the tests {how}:\n{output}")
            return False
        print(f"{implementation}: without a mistake, the tests pass ({time.perf_counter() - begin:.1f} s)", flush=True)
    return True


def choose(names: list[str], needs: str | None) -> list[tuple[str, Mutant]]:
    """Return the mutants whose name contains one of `names`, each with its implementation. Without names, return all.

    If `needs` is given, only the mutants that need it.
    """
    everything = [(implementation, mutant) for implementation, mutants in MUTANTS.items() for mutant in mutants]
    labels = [f"{implementation}: {mutant.name}" for implementation, mutant in everything]
    if len(set(labels)) < len(labels):
        raise SystemExit(f"names that are not unique: {sorted({label for label in labels if labels.count(label) > 1})}")
    chosen = [
        pair
        for label, pair in zip(labels, everything, strict=True)
        if (not names or any(name in label for name in names)) and needs in (None, pair[1].needs)
    ]
    if not chosen:
        raise SystemExit(f"no mutant is called {names}" + (f" and needs {needs}" if needs else ""))
    return chosen


def main() -> int:
    """Run the selected mutants; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of the name of a mutant")
    parser.add_argument("--needs", choices=list(CONDITIONS), help="only those that need this")
    parser.add_argument("--require", action="store_true", help="one that could not be run on this build is a failure")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once (default: 1)")
    parser.add_argument("--list", action="store_true", help="print the names and the tests, and run nothing")
    options = parser.parse_args()

    chosen = choose(options.names, options.needs)
    for _, mutant in chosen:
        # Do this first, even for mutants that this interpreter cannot run: a mutant whose text is gone needs a new
        # place.
        try:
            mutant.apply((CHECKOUT / "gilonce" / mutant.file).read_text("utf-8"))
        except LookupError as error:
            raise SystemExit(error) from None
    if options.list:
        for implementation, mutant in chosen:
            print(f"{implementation}: {mutant.name}", *mutant.tests, sep="\n    ")
        return 0
    possible = [(name, mutant) for name, mutant in chosen if not mutant.needs or CONDITIONS[mutant.needs]]
    if options.needs and not possible:
        raise SystemExit(f"this is not {options.needs}")
    if hasattr(PROCESSES, "set_forkserver_preload"):
        PROCESSES.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name).resolve()
        if not check_originals(folder, possible):
            return 1
        with ThreadPoolExecutor(options.jobs) as pool:
            verdicts = list(pool.map(lambda pair: judge(folder, *pair), possible))
    for implementation, mutant in chosen:
        if (implementation, mutant) not in possible:
            print(f"not run here: needs {mutant.needs}  {implementation}: {mutant.name}")
    alive = [line for word, line in verdicts if not word.startswith("killed")]
    killed = len(possible) - len(alive)
    not_run = len(chosen) - len(possible)
    is_wanting = options.require and any(
        not CONDITIONS[mutant.needs] for _, mutant in chosen if mutant.needs not in ("", GIL, NO_GIL)
    )
    # Again, because hundreds of lines may stand between them and the end.
    print("", *alive, sep="\n")
    print(f"{killed} killed of {len(possible)}" + (f", {not_run} not run here" if not_run else ""))
    return 1 if alive or is_wanting else 0


if __name__ == "__main__":
    sys.exit(main())
