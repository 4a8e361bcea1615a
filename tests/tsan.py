"""ThreadSanitizer over the native core without a GIL: `python tests/tsan.py --python INSTRUMENTED [--seconds N]`.

What is stressed is every entry of the core, from several threads at once (`entry_points.py`, `tsan_stress.py`). Each
report of the sanitizer must be listed in `tsan.supp`, with a reason: those are CPython's own and wrapt's. None may be
ours. `--broken` shows that this can fail: it compiles the core with a mistake, each of `MISTAKES` in turn, and demands
a report for every one.

What is not reported is not proved. Whatever passes from one thread to another, a lock or a shared count of references,
orders in the sanitizer's eyes all that came before it, so a plain access between two such is seen only by luck.

The sanitizer sees the atomics and the locks of what was compiled with it alone, so the interpreter must be, or all that
it orders by them looks like a race. It may be named in the environment variable `GILONCE_TSAN_PYTHON` too. Where there
is none this says so and exits with status 3. One is made outside the repository from the source of CPython 3.13 or
newer, by a clang whose runtime library is there. This is how the one was made that the figures in the history are of:

    apt-get install clang-19 libclang-rt-19-dev llvm-19
    tar xf python3.13_3.13.5.orig.tar.xz        # Debian's, which is the Python-3.13.5.tar.xz of python.org
    mkdir build && cd build
    ../Python-3.13.5/configure --disable-gil --with-thread-sanitizer --disable-test-modules \\
        --prefix=$HOME/tsan CC=clang-19 CXX=clang++-19 OPT="-O1 -g -DNDEBUG"
    make -j2
    make install

The last, when all files are in place but `lib-dynload` and the headers, compiles the whole library three times with
the slow interpreter. Who will not wait stops it there, and copies what is left:

    lib=$HOME/tsan/lib/python3.13t made=$(cat pybuilddir.txt) include=$HOME/tsan/include/python3.13t
    mkdir -p $lib/lib-dynload $include
    cp $made/*.so $lib/lib-dynload && cp $made/_sysconfigdata* $lib
    cp -r ../Python-3.13.5/Include/* pyconfig.h $include

wrapt is compiled with it too, from its source distribution (`pip download --no-binary wrapt --no-deps wrapt`):

    cp -r wrapt-*/src/wrapt $lib/site-packages
    clang-19 -shared -fPIC -fsanitize=thread -O1 -g -I$include wrapt-*/src/wrapt/_wrappers.c \\
        -o $lib/site-packages/wrapt/_wrappers.cpython-313t-x86_64-linux-gnu.so
    python tests/tsan.py --python $HOME/tsan/bin/python3.13t

Debian's source package is had without touching the machine's own list of sources, a `deb-src` line for trixie being in
the file `trixie.list` and `lists` an empty directory:

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

TESTS = Path(__file__).resolve().parent
CORE = TESTS.parent / "gilonce"
SUPPRESSIONS = TESTS / "tsan.supp"
NOT_HERE = 3

#: What it looks like when one thing in the core is wrong: the file, the right text, the wrong one.
MISTAKES = {
    "a value is published by a check and a store": (
        "_native_base.h",
        "    return __atomic_compare_exchange_n(address, &expected, new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE);",
        "    return *address == expected ? (*address = new, 1) : 0;",
    ),
    "a value is published in no order": (
        "_native_base.h",
        "new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)",
        "new, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)",
    ),
    "a pointer is loaded like any other": (
        "_native_base.h",
        "#    define LOAD(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)",
        "#    define LOAD(address) (*(address))",
    ),
    "what is known of a type is stored like any other number": (
        "_native_base.h",
        "#    define STORE_NUMBER(address, new) __atomic_store_n((address), (new), __ATOMIC_RELAXED)",
        "#    define STORE_NUMBER(address, new) (*(address) = (new))",
    ),
    "a reference is counted like any other number": (
        "_native_base.h",
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
    """An interpreter compiled with the sanitizer; `SystemExit` for one that is not."""

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
        """What makes addresses lie where gcc 12's runtime wants them."""
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
        made = package / f"_native{self.suffix}"
        command = [
            *shlex.split(self.link),
            *self.flags,
            "-Wall",
            "-Wextra",
            "-g",
            str(package / "_native.c"),
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
            [*self.prefix, self.path, "-X", "faulthandler", str(TESTS / "tsan_stress.py"), *arguments],
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
    """Return how many reports each suppression covers, and the reports for which nobody else is to blame."""
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
    """Compile, run and judge once; return how many reports nothing covers, -1 for a run that did not end well.

    Of a mistake in the core, only those reports count that it is in: the interpreter may do something of itself.
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
