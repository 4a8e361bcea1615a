"""Run the suite on CPython in WebAssembly, under Node: `in_pyodide.py [--pyodide VERSION ...] [-- PYTEST ARGUMENTS]`.

For each version of Pyodide the program

- installs the npm package `pyodide` into a temporary folder, and downloads pure wheels of what the tests need;
- builds the pure wheel of gilonce, as `.github/workflows/wheels.yml` does, with the tag that this Pyodide accepts, and
  lets micropip, Pyodide's own installer, install it;
- runs the suite, all in one process, and then tasks on the event loop of JavaScript.

Pyodide has neither threads nor processes. `in_pyodide_plugin.py` skips a test that tries to start one. The last line
of a run counts these tests apart from those that skip themselves, because a package or the native core is missing.

Two things differ from the Pyodide that users have. Node gets a larger stack, and the tests' event loop is not that of
JavaScript; `in_pyodide_plugin.py` says why. The slow tests run with `-- -m ""`.

This takes Node with npm, and no compiler. CI does not run it, because it takes long and needs npm's registry.
`in_browser.py` shows the same wheel in a browser.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_suffix(".mjs")

#: The npm versions of the newest two lines: Python 3.13 and 3.14.
VERSIONS = ["0.29", "314"]

#: What the suite needs, from the extra `test` in pyproject.toml, and the installer.
REQUIREMENTS = ["attrs", "hypothesis>=6.155,<6.156", "lazy-object-proxy", "micropip", "pytest>=8.4", "wrapt>=2.0"]

#: Runs pytest inside Pyodide, away from the source; the plugin returns JSON.
PROGRAM = """
import os, sys
os.environ["GILONCE_SEARCH"] = {search!r}
sys.path[:0] = ["/project/tests", "/project/tests/programs"]
import in_pyodide_plugin
in_pyodide_plugin.run({arguments!r})
"""

#: Tasks on Pyodide's own loop. The suite runs on another, because asyncio.run() cannot wait for that of JavaScript.
ON_ITS_LOOP = """
import asyncio
import gilonce

async def make():
    await asyncio.sleep(0.01)
    return object()

for cell in (gilonce.GILOnceCell, gilonce.OnceLock, gilonce.LoopOnceCell):
    read = gilonce.once(cell=cell)(make)
    assert len(set(await asyncio.gather(*[read() for _ in range(10)]))) == 1, cell

@gilonce.once(cell=gilonce.OnceLock)
async def first():
    await asyncio.sleep(0.01)
    return await second()

@gilonce.once(cell=gilonce.OnceLock)
async def second():
    await asyncio.sleep(0.01)
    return await first()

outcomes = await asyncio.gather(first(), second(), return_exceptions=True)
assert {type(outcome) for outcome in outcomes} == {gilonce.DeadlockError}, outcomes
print("Tasks on the event loop of JavaScript share values, and a deadlock is detected.")
"""

#: The stacks of JavaScript and of the system, in KiB. With Node's own, which is one megabyte, a recursion that Python
#: would end with a RecursionError ends all of Pyodide.
STACK = 60_000

COLUMNS = [
    *("passed", "failed", "skipped", "xfailed"),
    *("needs threads", "needs processes", "needs sqlite3", "whole modules need sqlite3"),
]


@dataclass(frozen=True)
class Pyodide:
    """An installed Pyodide: its folder, its version, its Python's version, and the tag of wheels for it."""

    folder: Path
    version: str
    python: str
    platform_tag: str


def install_pyodide(version: str, folder: Path) -> Pyodide:
    """Install Pyodide by npm."""
    folder.mkdir(parents=True)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--silent"]
    subprocess.run([*npm, "--prefix", str(folder), f"pyodide@{version}"], cwd=folder, check=True)
    package = folder / "node_modules" / "pyodide"
    lock = json.loads((package / "pyodide-lock.json").read_text())["info"]
    installed = json.loads((package / "package.json").read_text())["version"]
    return Pyodide(package, installed, lock["python"], f"pyemscripten_{lock['abi_version']}_wasm32")


class Wheels:
    """Builds and downloads wheels."""

    def __init__(self, work: Path) -> None:
        self.work = work
        venv.create(work / "venv", with_pip=True)
        self._python = str(work / "venv" / "bin" / "python")
        self._run("pip", "install", "-q", "wheel")
        self.untagged = self._build()

    def _run(self, *arguments: str, **variables: str) -> None:
        subprocess.run([self._python, "-m", *arguments], env={**os.environ, **variables}, check=True)

    def _build(self) -> Path:
        # A copy, because a core that was compiled in the checkout would be taken into the wheel.
        source = self.work / "source"
        ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "*.so")
        shutil.copytree(CHECKOUT, source, ignore=ignored)
        self._run("pip", "wheel", "-q", "--no-deps", "-w", str(self.work / "built"), str(source), CC="/nonexistent")
        (wheel,) = (self.work / "built").glob("gilonce-*.whl")
        with zipfile.ZipFile(wheel) as contents:
            assert not [name for name in contents.namelist() if name.endswith(".so")], "the native core was compiled"
        shutil.rmtree(source / "build", ignore_errors=True)
        return wheel

    def gilonce(self, platform_tag: str) -> Path:
        """Return the wheel of gilonce for a platform."""
        tags = ["--python-tag", "py3", "--abi-tag", "none", "--platform-tag", platform_tag]
        self._run("wheel", "tags", *tags, str(self.untagged))
        (wheel,) = self.untagged.parent.glob(f"gilonce-*-py3-none-{platform_tag}.whl")
        return wheel

    def download(self, *requirements: str) -> list[Path]:
        """Return pure wheels of other packages, and of those that they require."""
        folder = Path(tempfile.mkdtemp(dir=self.work))
        pure = ["--only-binary", ":all:", "--implementation", "py", "--abi", "none", "--platform", "any"]
        self._run("pip", "download", "-q", *pure, "--python-version", "3.13", "-d", str(folder), *requirements)
        return sorted(folder.glob("*.whl"))


def archive(source: Path, work: Path) -> Path:
    """Return a tar file of the source, without what a build has left there."""
    return Path(shutil.make_archive(str(work / "project"), "tar", source))


def run(pyodide: Pyodide, wheels: Wheels, work: Path, arguments: list[str], minutes: float) -> bool:
    """Run the suite on one Pyodide, and print its line of the table; return whether all is well."""
    results = work / f"results of {pyodide.version}.json"
    options = {
        "pyodide": str(pyodide.folder),
        "wheels": [str(wheel) for wheel in wheels.download(*REQUIREMENTS)],
        "gilonce": str(wheels.gilonce(pyodide.platform_tag)),
        "archive": str(archive(wheels.work / "source", work)),
        "program": PROGRAM.format(arguments=arguments, search=os.environ.get("GILONCE_SEARCH", "0.1")),
        "results": str(results),
        "on_its_loop": ON_ITS_LOOP,
    }
    begin = time.monotonic()
    try:
        node = ["node", f"--stack-size={STACK}", str(RUNNER), json.dumps(options)]
        script = f"ulimit -s {STACK + 4096} && exec {shlex.join(node)}"
        subprocess.run(["sh", "-c", script], check=True, timeout=60 * minutes)
        says: dict[str, Any] = json.loads(results.read_text())
    except subprocess.TimeoutExpired:
        print(f"Pyodide {pyodide.version} was not done after {minutes:g} minutes; `-- -v` shows the test that hangs")
        return False
    except subprocess.CalledProcessError as error:
        print(f"Pyodide {pyodide.version}: exit status {error.returncode}")
        return False
    numbers = ", ".join(f"{says['counts'].get(name, 0)} {name}" for name in COLUMNS)
    name = f"CPython {pyodide.python}, Pyodide {pyodide.version}, wasm32, {says['implementation']}"
    print(f"\n{name}: {numbers}; {time.monotonic() - begin:.0f} s\n", flush=True)
    return bool(says["status"] == 0)


def main() -> int:
    ours, theirs = sys.argv[1:], []
    if "--" in ours:
        ours, theirs = ours[: ours.index("--")], ours[ours.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pyodide", nargs="+", default=VERSIONS, metavar="VERSION", help="of the package from npm")
    parser.add_argument("--limit", type=float, default=60.0, metavar="MINUTES", help="for each version (default: 60)")
    options = parser.parse_args(ours)
    arguments = ["-q", "-c", "/project/pyproject.toml", "--rootdir", "/project", "-p", "no:cacheprovider"]
    # No thread can watch the time, and the descriptors 1 and 2 are JavaScript's.
    arguments += ["-o", "faulthandler_timeout=0", "--capture=sys"]
    arguments += [f"/project/{argument}" if argument.startswith("tests/") else argument for argument in theirs]
    if not any(argument.startswith("tests/") for argument in theirs):
        arguments.append("/project/tests")
    with tempfile.TemporaryDirectory(prefix="gilonce-") as folder:
        work = Path(folder)
        wheels = Wheels(work)
        well = [
            run(install_pyodide(version, work / version), wheels, work, arguments, options.limit)
            for version in options.pyodide
        ]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
