"""ThreadSanitizer over the native core without a GIL.

    python tests/programs/tsan.py --python INSTRUMENTED [--seconds N]

The program stresses every entry of the core from several threads at once (`support/entry_points.py`, `tsan_stress.py`).
Each report of the sanitizer must be listed in `tsan.supp`, with a reason. The listed reports are about CPython and
wrapt, none is about gilonce. `--broken` shows that this can fail: it compiles the core with each of `MISTAKES` in turn,
and requires a report for every one.

A clean run proves little. For the sanitizer, a lock or a shared reference count that passes from one thread to another
orders everything before it. So it notices a plain access between two of these only by luck.

The sanitizer sees only atomics and locks of code that was compiled with it. So the interpreter must be compiled with it
too, or everything that the interpreter synchronizes looks like a race. The environment variable `GILONCE_TSAN_PYTHON`
can also name the interpreter. Without one, the program exits with status 3. Build one outside the repository, from the
source of CPython 3.13 or newer, with a clang that has its runtime library. The interpreter for the figures in the
history was built like this:

    apt-get install clang-19 libclang-rt-19-dev llvm-19
    tar xf python3.13_3.13.5.orig.tar.xz        # Debian's, which is the Python-3.13.5.tar.xz of python.org
    mkdir build && cd build
    ../Python-3.13.5/configure --disable-gil --with-thread-sanitizer --disable-test-modules \\
        --prefix=$HOME/tsan CC=clang-19 CXX=clang++-19 OPT="-O1 -g -DNDEBUG"
    make -j2
    make install

When all files except `lib-dynload` and the headers are in place, the last command compiles the whole library three
times with the slow interpreter. You can stop it there, and copy the rest:

    lib=$HOME/tsan/lib/python3.13t made=$(cat pybuilddir.txt) include=$HOME/tsan/include/python3.13t
    mkdir -p $lib/lib-dynload $include
    cp $made/*.so $lib/lib-dynload && cp $made/_sysconfigdata* $lib
    cp -r ../Python-3.13.5/Include/* pyconfig.h $include

Compile wrapt with the sanitizer too, from its source distribution (`pip download --no-binary wrapt --no-deps wrapt`):

    cp -r wrapt-*/src/wrapt $lib/site-packages
    clang-19 -shared -fPIC -fsanitize=thread -O1 -g -I$include wrapt-*/src/wrapt/_wrappers.c \\
        -o $lib/site-packages/wrapt/_wrappers.cpython-313t-x86_64-linux-gnu.so
    python tests/programs/tsan.py --python $HOME/tsan/bin/python3.13t

These commands get Debian's source package without changing the machine's own list of sources. `trixie.list` is a file
with a `deb-src` line for trixie, and `lists` an empty directory:

    apt="-o Dir::Etc::sourcelist=$PWD/trixie.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$PWD/lists"
    apt-get $apt update && apt-get $apt source --download-only python3.13
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tsan_reports import Report, Suppression, read, suppressions

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
CORE = TESTS.parent / "gilonce"
SUPPRESSIONS = HERE / "tsan.supp"
NOT_HERE = 3

#: Mistakes in the core: the file, the right text, the wrong text.
MISTAKES = {
    "a value is published by a check and a store": (
        "_native/base.h",
        "    return __atomic_compare_exchange_n(address, &expected, new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE);",
        "    return *address == expected ? (*address = new, 1) : 0;",
    ),
    "a value is published in no order": (
        "_native/base.h",
        "new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)",
        "new, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)",
    ),
    "a pointer is loaded like any other": (
        "_native/base.h",
        "#    define LOAD(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)",
        "#    define LOAD(address) (*(address))",
    ),
    "what is known of a type is stored like any other number": (
        "_native/base.h",
        "#    define STORE_NUMBER(address, new) __atomic_store_n((address), (new), __ATOMIC_RELAXED)",
        "#    define STORE_NUMBER(address, new) (*(address) = (new))",
    ),
    "a reference is counted like any other number": (
        "_native/field.h",
        "_Py_atomic_add_ssize(&value->ob_ref_shared, 1 << _Py_REF_SHARED_SHIFT)",
        "value->ob_ref_shared += 1 << _Py_REF_SHARED_SHIFT",
    ),
}

_ASK = """
import json, sys, sysconfig
config = sysconfig.get_config_vars("CC", "CFLAGS", "CCSHARED", "LDSHARED", "EXT_SUFFIX")
try:
    import wrapt._wrappers as wrapt
except ImportError:
    wrapt = None
gil = getattr(sys, "_is_gil_enabled", lambda: True)()
print(json.dumps([*config, sysconfig.get_path("include"), gil, wrapt is not None, sys.version]))
"""


class Interpreter:
    """An interpreter that was compiled with the sanitizer. For another, this raises `SystemExit`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.prefix = self._prefix()
        asked = subprocess.run(
            [*self.prefix, path, "-c", _ASK], capture_output=True, text=True, check=False, env=_env()
        )
        if asked.returncode:
            raise SystemExit(f"{path} cannot be asked what it is:\n{asked.stderr}")
        self.cc, cflags, ccshared, self.link, self.suffix, include, gil, wrapt, self.version = json.loads(asked.stdout)
        self.flags = [*shlex.split(cflags), *shlex.split(ccshared), f"-I{include}"]
        if "-fsanitize=thread" not in self.flags or gil:
            raise SystemExit(
                f"{path} was not configured --disable-gil --with-thread-sanitizer: see this file's docstring"
            )
        if not wrapt:
            raise SystemExit(f"{path} has no compiled wrapt: see this file's docstring")

    def _prefix(self) -> list[str]:
        """Returns a command prefix that puts addresses where gcc 12's runtime needs them."""
        once = subprocess.run([self.path, "-c", ""], capture_output=True, text=True, check=False, env=_env())
        return ["setarch", platform.machine(), "-R"] if "unexpected memory mapping" in once.stderr else []

    def compile(self, where: Path, mistake: str | None = None) -> None:
        """Compile the core in a copy of the package in `where`, with a mistake if one is named."""
        package = where / "gilonce"
        shutil.copytree(CORE, package, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        if mistake is not None:
            name, right, wrong = MISTAKES[mistake]
            source = package / name
            text = source.read_text(encoding="utf-8")
            assert text.count(right) == 1, f"the core has changed: in {name} there is no {right!r}"
            source.write_text(text.replace(right, wrong), encoding="utf-8")
        made = package / "_native" / f"core{self.suffix}"
        command = [
            *shlex.split(self.link),
            *self.flags,
            "-Wall",
            "-Wextra",
            "-g",
            str(package / "_native" / "module.c"),
            "-o",
            str(made),
        ]
        subprocess.run(command, check=True)

    def run(self, where: Path, seconds: float, threads: int) -> tuple[list[Report], str, int]:
        """Run the stress on the package in `where`: the reports, what was printed, and the exit status."""
        log = where / "report"
        options = f"log_path={log} history_size=7 halt_on_error=0 exitcode=0 report_signal_unsafe=1"
        environment = {**_env(options), "PYTHONPATH": f"{where}{os.pathsep}{TESTS}"}
        arguments = ["--seconds", str(seconds), "--threads", str(threads)]
        done = subprocess.run(
            [*self.prefix, self.path, "-X", "faulthandler", str(HERE / "tsan_stress.py"), *arguments],
            env=environment,
            cwd=where,
            capture_output=True,
            text=True,
            timeout=20 * seconds + 600,
            check=False,
        )
        text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in where.glob("report.*"))
        return read(text), done.stdout + done.stderr, done.returncode


def _env(options: str = "exitcode=0") -> dict[str, str]:
    return {**os.environ, "TSAN_OPTIONS": options, "GILONCE_PURE_PYTHON": "", "PYTHONDONTWRITEBYTECODE": "1"}


def judge(reports: list[Report], listed: list[Suppression]) -> tuple[collections.Counter[Suppression], list[Report]]:
    """Return how many reports each suppression covers, and the reports that no suppression covers."""
    covered: collections.Counter[Suppression] = collections.Counter()
    left = []
    for report in reports:
        by = next((one for one in listed if one.covers(report) and report.ours <= one.may_meet), None)
        if by is None:
            left.append(report)
        else:
            covered[by] += 1
    return covered, left


def attempt(interpreter: Interpreter, seconds: float, threads: int, mistake: str | None, keep: Path | None) -> int:
    """Compile, run and judge once; return the number of reports that nothing covers, or -1 if the run failed.

    With a mistake in the core, only reports about the mistake count: others may be about the interpreter.
    """
    with tempfile.TemporaryDirectory() as directory:
        where = Path(directory)
        interpreter.compile(where, mistake)
        reports, printed, status = interpreter.run(where, seconds, threads)
        if keep is not None:
            shutil.copytree(where, keep / (mistake or "core").replace(" ", "-"), dirs_exist_ok=True)
    print(printed.strip())
    covered, left = judge(reports, suppressions(SUPPRESSIONS))
    for suppression, count in covered.most_common():
        print(f"{count:5} x {suppression.line}")
    for report, count in collections.Counter(map(str, left)).most_common(12):
        print(f"{count:5} x NOT COVERED {report}")
    if left and mistake is None:
        print(left[0].text)
    ours = sum(bool(report.ours) for report in left)
    print(
        f"{len(reports)} reports, {sum(covered.values())} of them covered, {len(left)} not, of which {ours} are ours; "
        f"exit status {status}",
        flush=True,
    )
    if mistake is not None:
        return ours
    return -1 if status else len(left)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=os.environ.get("GILONCE_TSAN_PYTHON"), help="an instrumented interpreter")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--broken", action="store_true", help="demand a report for each of the mistakes instead")
    parser.add_argument("--keep", type=Path, help="a directory for what was compiled and the sanitizer's own files")
    options = parser.parse_args()
    if not options.python:
        print(
            "NOT RUN: no interpreter compiled with ThreadSanitizer was named (--python, GILONCE_TSAN_PYTHON)",
            file=sys.stderr,
        )
        return NOT_HERE
    interpreter = Interpreter(options.python)
    print(interpreter.version, flush=True)
    if not options.broken:
        return bool(attempt(interpreter, options.seconds, options.threads, None, options.keep))
    unseen = []
    for mistake in MISTAKES:
        print(f"\n{mistake}:", flush=True)
        if not attempt(interpreter, options.seconds, options.threads, mistake, options.keep):
            unseen.append(mistake)
    print(f"\nnot noticed: {', '.join(unseen) or 'none of them'}")
    return bool(unseen)


if __name__ == "__main__":
    sys.exit(main())
