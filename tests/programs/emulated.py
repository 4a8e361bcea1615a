"""Run tests of the native core on an emulated aarch64: `python tests/programs/emulated.py [-- PYTEST ARGUMENTS]`.

The first run makes a directory that contains Debian trixie for arm64, with CPython 3.13 (`--chroot DIR`). The kernel
starts qemu for each program there. This takes Debian on another processor, root's rights, and

    apt-get install mmdebstrap qemu-user-static binfmt-support gcc-aarch64-linux-gnu

Only the tests are emulated. pip runs here, and so does the compiler, whose code is for arm64. Without arguments for
pytest, the tests are those that `.ci/run` chooses for the interpreters that run the core only. This takes hours. To run
a part of them:

    python tests/programs/emulated.py -- -k "native or not python" tests/cells/test_racing.py

A test that gives a process of its own 100 seconds can fail with `TimeoutExpired`, because the process is too slow.

CI does not run this. It shows that the core is right for this processor's compiler, calling convention and sizes. It
proves little about the order of memory accesses: on x86-64, the emulator reorders little more than x86-64 does.
`tests/litmus/` checks the order.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from in_pyodide import CHECKOUT, REQUIREMENTS, Wheels
from interpreters import at

#: Where Linux says which emulators it starts, and for which programs.
FORMATS = Path("/proc/sys/fs/binfmt_misc")

SUITE, PYTHON, MACHINE = "trixie", "3.13", "aarch64-linux-gnu"
PACKAGES = ["base-files", "bash", "coreutils", "dash", "gcc", "libc6-dev", "procps", "python3", "python3-dev", "tzdata"]
COMPILER = [f"{MACHINE}-gcc", "-std=c11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]

#: Where Debian's interpreter finds packages that pip has installed.
SITE = Path("usr", "local", "lib", f"python{PYTHON}", "dist-packages")

#: The tests of the core, and how long, in seconds, one of them may take.
ARGUMENTS = ["-m", "not slow", "-k", "native or not python", "-o", "faulthandler_timeout=1800"]

CHECK = "import gilonce, platform; print(platform.machine(), platform.python_version(), gilonce.__implementation__)"


def start_emulator() -> None:
    """Make the kernel start qemu for programs of aarch64, if it does not yet."""
    if not (FORMATS / "status").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(FORMATS)], check=True)
    if not (FORMATS / "qemu-aarch64").exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)


def make_chroot(root: Path) -> None:
    """Make the chroot: extract the packages, which is done in a minute. To install them would run emulated programs."""
    options = ["--mode=root", "--variant=extract", "--arch=arm64", f"--include={','.join(PACKAGES)}"]
    subprocess.run(["mmdebstrap", *options, SUITE, str(root), "http://deb.debian.org/debian"], check=True)
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)


def install(root: Path) -> None:
    """Install the package, its native core and what the tests need in the chroot."""
    site = root / SITE
    shutil.rmtree(site, ignore_errors=True)
    platforms = [f"--platform={name}_aarch64" for name in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", f"--target={site}", *platforms]
    pip += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    with tempfile.TemporaryDirectory() as work:
        wheel = Wheels(Path(work)).gilonce("any")
        requirements = [name for name in REQUIREMENTS if name != "micropip"]
        subprocess.run([*pip, str(wheel), *requirements], check=True)
    native = site / "gilonce" / "_native"
    made = native / f"core.cpython-{PYTHON.replace('.', '')}-{MACHINE}.so"
    headers = [f"--sysroot={root}", f"-I{root}/usr/include/python{PYTHON}"]
    subprocess.run([*COMPILER, *headers, str(CHECKOUT / "gilonce/_native/module.c"), "-o", str(made)], check=True)


def main() -> int:
    ours, theirs = sys.argv[1:], ARGUMENTS
    if "--" in ours:
        ours, theirs = ours[: ours.index("--")], ours[ours.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cached = Path.home() / ".cache" / "gilonce-pythons" / "arm64"
    parser.add_argument("--chroot", type=Path, default=cached, metavar="DIR", help=f"default: {cached}")
    options = parser.parse_args(ours)
    root = options.chroot.resolve()
    if missing := [name for name in ("mmdebstrap", "update-binfmts", COMPILER[0]) if not shutil.which(name)]:
        parser.error(f"{' and '.join(missing)} not found: see this file's docstring")
    if os.geteuid():
        parser.error("only root can make and enter the chroot")
    start_emulator()
    if not (root / "usr" / "bin" / f"python{PYTHON}").exists():
        make_chroot(root)
    install(root)
    project = root / "project"
    shutil.rmtree(project, ignore_errors=True)
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "*.so")
    shutil.copytree(CHECKOUT, project, ignore=ignored)
    arguments = [f"/project/{argument}" if argument.startswith("tests/") else argument for argument in theirs]
    if not any(argument.startswith("tests/") for argument in theirs):
        arguments.append("/project/tests")
    python = f"/usr/bin/python{PYTHON}"
    pytest = ["-m", "pytest", "-q", "-c", "/project/pyproject.toml", "--rootdir=/project", "-p", "no:cacheprovider"]
    environment = {"GILONCE_SEARCH": "0.1", **os.environ, "GILONCE_PURE_PYTHON": ""}
    subprocess.run(at(root, "/", python, "-c", CHECK), env=environment, check=True)
    return subprocess.call(at(root, "/", python, *pytest, *arguments), env=environment)


if __name__ == "__main__":
    sys.exit(main())
