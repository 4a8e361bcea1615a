"""Compile the native core, and run nothing, for interpreters that are not here: `cross_compile.py [--chroot DIR ...]`.

The interpreters are CPython 3.14 and 3.15 without a GIL, those for other processors and systems, and 3.13 without a
GIL for 32-bit x86. Each compilation must succeed with `-Wall -Wextra -Werror`. The object must not call a function
such as `__atomic_load_8`: it is in a library that extensions are not linked with.

The compilers are gcc, for this processor, and clang, which the package `ziglang` has, with the headers of the C library
for every target (`pip install ziglang`). Python's headers are those of Debian's packages:

- for this processor and for 32-bit x86 from the systems that `--chroot` names, as for `interpreters.py`;
- for aarch64 and riscv64 from the packages of these architectures, which apt-get downloads into `--cache`. musl has no
  packages there, so it is compiled with the same `pyconfig.h`, which was made for glibc.

For macOS and Windows, `pyconfig.h` is one of the two at the end of this file, written by hand from the macros that
Python's headers ask for. That proves less: it may differ from the real one. On Windows the compiler is not MSVC, for
which `base.h` has other atomic operations. They are compiled too, with the headers for Linux.

What is not here is named in the table, and is a failure only with `--require`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from interpreters import COLUMNS

CORE = Path(__file__).resolve().parents[2] / "gilonce" / "_native"

#: Debian's names for the processors, and the suite whose packages have the headers.
ARCHITECTURES = {"aarch64": "arm64", "riscv64": "riscv64"}
SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FOREIGN_VERSIONS = ("3.14", "3.15")

FLAGS = ("-std=c11", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror")

#: Includes the system's headers first, so that only the core sees that the compiler is MSVC.
AS_MSVC = """
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>
#define _MSC_VER 1940
#include "module.c"
"""


@dataclass(frozen=True)
class Target:
    """What to compile for: Python's version, and where its headers come from."""

    version: str
    processor: str
    system: str = "Linux"
    gil: bool = False
    #: The file in the core's directory that is compiled, or its text.
    source: str = "module.c"
    #: For clang; gcc compiles for this processor only.
    triple: str = ""
    by_gcc: bool = False

    @property
    def multiarch(self) -> str:
        """Return the directory in which Debian has `pyconfig.h`."""
        return {"x86-64": "x86_64", "32-bit x86": "i386"}.get(self.processor, self.processor) + "-linux-gnu"


def targets() -> Iterator[Target]:
    """Yield all targets. Those of the suite's own runs are left out."""
    for version in ("3.14", "3.15"):
        yield Target(version, "x86-64", triple="x86_64-linux-gnu", by_gcc=True)
    yield Target("3.15", "x86-64", "as if MSVC", source=AS_MSVC, triple="x86_64-linux-gnu", by_gcc=True)
    # This has no atomic operation of 64 bits, and so remembers nothing about types.
    yield Target("3.13", "32-bit x86", triple="x86-linux-gnu")
    for processor in ARCHITECTURES:
        for version in FOREIGN_VERSIONS:
            for gil in (True, False):
                yield Target(version, processor, gil=gil, triple=f"{processor}-linux-gnu")
    systems = {"musl": "linux-musl", "macOS": "macos", "Windows": "windows-gnu"}
    for system, triple in systems.items():
        for processor in ("x86-64", "aarch64"):
            for gil in (True, False):
                cpu = processor.replace("-", "_")
                yield Target("3.15", processor, system, gil=gil, triple=f"{cpu}-{triple}")


class MissingError(Exception):
    """Something that a compilation needs is not here."""


class Headers:
    """Finds Python's headers."""

    def __init__(self, roots: list[Path], cache_folder: Path, work: Path) -> None:
        self.roots = roots
        self.cache = cache_folder
        self.work = work
        self._problem = ""

    def download(self) -> None:
        """Download the packages that have the headers for other processors, unless they are in the cache."""
        try:
            for processor, architecture in ARCHITECTURES.items():
                for version in FOREIGN_VERSIONS:
                    root = self.cache / architecture
                    if not (root / "usr" / "include" / f"{processor}-linux-gnu" / f"python{version}").is_dir():
                        self._get(architecture, version, root)
        except (OSError, subprocess.SubprocessError) as error:
            says = getattr(error, "stderr", None) or str(error)
            self._problem = f"no headers: {says.strip().splitlines()[-1]}"

    @cache  # noqa: B019 - this object lives as long as the program
    def _apt(self) -> list[str]:
        """Return a command that is apt-get with lists of its own, after updating them."""
        if not shutil.which("apt-get") or not KEYRING.exists():
            raise OSError("neither in the cache, nor is this Debian")
        lists = self.work / "lists"
        (lists / "partial").mkdir(parents=True)
        sources = self.work / "sources.list"
        sources.write_text(f"deb [signed-by={KEYRING}] http://deb.debian.org/debian {SUITE} main\n")
        options = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": lists,
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.work,
            "APT::Sandbox::User": "",
            "APT::Architecture": next(iter(ARCHITECTURES.values())),
            "Acquire::Languages": "none",
        }
        command = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]
        command += [f"-oAPT::Architectures::={architecture}" for architecture in ARCHITECTURES.values()]
        _run([*command, "update"], self.work)
        return command

    def _get(self, architecture: str, version: str, root: Path) -> None:
        folder = self.work / "packages" / architecture / version
        folder.mkdir(parents=True)
        _run([*self._apt(), "download", f"libpython{version}-dev:{architecture}"], folder)
        (package,) = folder.glob("*.deb")
        extracted = folder / "extracted"
        _run(["dpkg-deb", "--extract", str(package), str(extracted)], folder)
        # The headers of another process, which has just done the same, are as good as these.
        shutil.copytree(extracted / "usr" / "include", root / "usr" / "include", dirs_exist_ok=True)

    def find(self, target: Target) -> tuple[list[str], str]:
        """Return the options that add the headers, and the exact version of Python."""
        architecture = ARCHITECTURES.get(target.processor)
        roots = self.roots if architecture is None else [self.cache / architecture]
        is_ours = target.system in ("macOS", "Windows")
        for root in roots:
            headers = root / "usr" / "include" / f"python{target.version}"
            config = root / "usr" / "include" / target.multiarch / f"python{target.version}"
            if not headers.is_dir() or not config.is_dir():
                continue
            if is_ours:
                # The file of this name beside Python.h would be found first.
                copied = self.work / f"without-pyconfig-{target.processor}-{target.version}"
                if not copied.exists():
                    shutil.copytree(headers, copied, ignore=shutil.ignore_patterns("pyconfig.h"))
                headers, added = copied, self.work / target.system
                added.mkdir(exist_ok=True)
                (added / "pyconfig.h").write_text(PYCONFIG[target.system])
            else:
                # Not the directory in which the link is: the C library's headers there may be another one's.
                added = self.work / "multiarch"
                link = added / target.multiarch / config.name
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(config.resolve())
            found = re.search(r'define PY_VERSION +"(.*)"', (headers / "patchlevel.h").read_text())
            assert found is not None
            return [f"-I{added}", f"-I{headers}"], found[1]
        if architecture is not None and self._problem:
            raise MissingError(self._problem)
        raise MissingError(f"no headers of Python {target.version} for {target.processor}")


def _run(command: list[str], cwd: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout


@dataclass
class Result:
    """A line of the table."""

    target: Target
    version: str = ""
    compilers: tuple[str, ...] = ()
    missing: str = ""
    problem: str = ""

    def line(self) -> str:
        """Return the line as text."""
        target = self.target
        system = "" if target.system == "Linux" else f" ({target.system})"
        name = target.version + ("" if target.gil else "t")
        if self.missing:
            return f"{name:6} {target.processor}{system}: not here: {self.missing}"
        full = f"CPython {self.version}{system}"
        first = COLUMNS.format(name, full, target.processor, "yes" if target.gil else "no", "native")
        return f"{first} {'FAILED' if self.problem else 'compiled only'}, by {' and '.join(self.compilers)}"


class Compilers:
    """The compilers that are here."""

    def __init__(self, work: Path, zig: str | None) -> None:
        self.work = work
        self.environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work)}
        self.environment.pop("CFLAGS", None)
        self.zig = shlex.split(zig) if zig else [sys.executable, "-m", "ziglang"] if find_spec("ziglang") else None
        self.gcc = shutil.which("gcc")

    @cache  # noqa: B019 - this object lives as long as the program
    def version_of(self, command: str) -> str:
        """Return the compiler's name and major version."""
        first = _run([*shlex.split(command), "--version"], self.work).splitlines()[0]
        found = re.search(r"(\d+)\.\d+\.\d+", first)
        return ("clang" if "clang" in first else "gcc") + (f" {found[1]}" if found else "")

    def commands(self, target: Target) -> list[list[str]]:
        """Return the commands that compile for a target."""
        commands = []
        if target.by_gcc and self.gcc:
            commands.append([self.gcc])
        if self.zig:
            commands.append([*self.zig, "cc", f"--target={target.triple}"])
        return commands

    def compile(self, target: Target, headers: Headers) -> Result:
        """Compile for a target with each compiler."""
        result = Result(target)
        commands = self.commands(target)
        try:
            options, result.version = headers.find(target)
            if not commands:
                raise MissingError("no compiler: `pip install ziglang`")
        except MissingError as error:
            result.missing = str(error)
            return result
        folder = Path(tempfile.mkdtemp(dir=self.work))
        source = CORE / "module.c"
        if target.source != "module.c":
            source = folder / "source.c"
            source.write_text(target.source)
        made = folder / "core.o"
        for command in commands:
            name = "gcc" if command[0] == self.gcc else "clang"
            gil = [] if target.gil else ["-DPy_GIL_DISABLED=1"]
            whole = [*command, *FLAGS, *gil, f"-I{CORE}", *options, "-c", str(source), "-o", str(made)]
            done = subprocess.run(whole, env=self.environment, capture_output=True, text=True, check=False)
            version = self.version_of(shlex.join(command if name == "gcc" else command[:-1]))
            result.compilers += (version,)
            if done.returncode or done.stderr:
                result.problem += f"{shlex.join(whole)}\n{done.stderr}"
            elif calls := set(re.findall(rb"__atomic_\w+", made.read_bytes())):
                result.problem += f"{shlex.join(whole)}\ncalls {b', '.join(sorted(calls)).decode()}\n"
        return result


def main() -> int:
    """Compile for all targets; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--chroot", type=Path, action="append", default=[], metavar="DIR", help="the root directory of another system"
    )
    cached = Path.home() / ".cache" / "gilonce-pythons" / "headers"
    parser.add_argument("--cache", type=Path, default=cached, metavar="DIR", help=f"default: {cached}")
    parser.add_argument("--zig", metavar="COMMAND", help="default: the package ziglang of this interpreter")
    parser.add_argument("--jobs", type=int, default=1, help="how many compilations at once")
    parser.add_argument("--require", action="store_true", help="what is not here is a failure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gilonce-") as folder, ThreadPoolExecutor(options.jobs) as lanes:
        headers = Headers(options.chroot, options.cache, Path(folder))
        headers.download()
        compilers = Compilers(Path(folder), options.zig)
        results = list(lanes.map(lambda target: compilers.compile(target, headers), targets()))
    for result in results:
        if result.problem:
            print(result.problem)
    print("\n" + COLUMNS.format("", "interpreter", "processor", "GIL", "implementations"))
    for result in results:
        print(result.line())
    return 1 if any(result.problem or (options.require and result.missing) for result in results) else 0


_EVERYWHERE = """
#define HAVE_LONG_LONG 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_THREAD_LOCAL 1
#define HAVE_WCHAR_H 1
#define SIZEOF_DOUBLE 8
#define SIZEOF_FLOAT 4
#define SIZEOF_INT 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_PID_T 4
#define SIZEOF_SHORT 2
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_UINTPTR_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF__BOOL 1
"""

PYCONFIG = {
    "macOS": _EVERYWHERE
    + """
#define ALIGNOF_MAX_ALIGN_T 16
#define HAVE_FORK 1
#define HAVE_PTHREAD_H 1
#define HAVE_SSIZE_T 1
#define SIZEOF_LONG 8
#define SIZEOF_LONG_DOUBLE 16
#define SIZEOF_PTHREAD_T 8
#define SIZEOF_WCHAR_T 4
""",
    "Windows": _EVERYWHERE
    + """
#define ALIGNOF_MAX_ALIGN_T 8
#define HAVE_DECLSPEC_DLL 1
#define HAVE_PY_SSIZE_T 1
#define MS_WIN32
#define MS_WIN64
#define MS_WINDOWS
#define NT_THREADS
#define PY_SSIZE_T_MAX 0x7fffffffffffffffLL
#define Py_ENABLE_SHARED 1
#define SIZEOF_LONG 4
#define SIZEOF_WCHAR_T 2
typedef long long Py_ssize_t;
""",
}

if __name__ == "__main__":
    sys.exit(main())
