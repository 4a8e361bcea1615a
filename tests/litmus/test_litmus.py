"""The order of memory accesses in the native core without a GIL, checked by herd7 on every possible execution.

x86-64 hardly reorders memory accesses, so no test that runs there can show that the core is right on other processors.
Each `.litmus` file here is a part of the core's protocol, as a program of two threads, with the outcome that must never
be observed. herd7 (Debian's package herdtools7) computes all outcomes under the model RC11. A file follows the C code
by hand: the comment at that code names the file, and whoever changes one has to change the other.

The files in `aarch64/` are such programs in assembly, under ARM's model. Their memory accesses are compared with what
gcc makes of the core. What happens under a lock is checked in C11 only: the order there is that of the lock. The
comparison needs Debian's packages gcc-aarch64-linux-gnu and libc6-dev-arm64-cross, and Python's headers for aarch64,
which `programs/cross_compile.py` downloads.

herd7 must be on the PATH. The environment variable `GILONCE_HERD_ROOT` can name the root directory of another system
which has it. Its herd7 then runs here, with the libraries from there.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "gilonce" / "_native"
FILES = sorted(HERE.glob("*.litmus"))
AARCH64_FILES = sorted(HERE.glob("aarch64/*.litmus"))

GCC = "aarch64-linux-gnu-gcc"
C_LIBRARY = Path("/usr/aarch64-linux-gnu/include/assert.h")
HEADERS = Path.home() / ".cache/gilonce-pythons/headers/arm64/usr/include"

RELEASE = "memory_order_release, memory_order_acquire"
RELAXED = "memory_order_relaxed, memory_order_relaxed"
SEQUENTIAL = "memory_order_seq_cst, memory_order_seq_cst"
EXCHANGE = "atomic_compare_exchange_strong_explicit"
LOCK = EXCHANGE + "(mutex, free{}, 1, memory_order_acquire, memory_order_relaxed)"
UNLOCK = "  atomic_store_explicit(mutex, 0, memory_order_release);\n"
COUNT = "  int before = atomic_fetch_add_explicit(count, 1, memory_order_seq_cst);\n"
LOOK = "returned = atomic_load_explicit({}, memory_order_seq_cst);\n"
EMPTY = "  atomic_store_explicit(old, 0, memory_order_release);\n"
REPLACE = "  int old = atomic_exchange_explicit(field, 2, memory_order_acq_rel);\n"
ODD = "  atomic_store_explicit(changes, 1, memory_order_relaxed);\n"
STORE_IF_EMPTY = (
    "1 - (atomic_load_explicit(field, memory_order_acquire) != 0);\n"
    "  if (written) {{ atomic_store_explicit(field, {}, memory_order_release); }}"
)

#: Mistakes in the protocol, each of which herd7 must find: for each file and mistake, pairs of right and wrong text.
TWINS: dict[str, dict[str, list[tuple[str, str]]]] = {
    "publish": {
        "a value is published in no order": [(RELEASE, RELAXED)],
        "a pointer is read in no order": [("(field, memory_order_acquire)", "(field, memory_order_relaxed)")],
    },
    "two_publishers": {
        "a value is published by a check and a store": [
            (f"{EXCHANGE}(field, empty0, 1, {RELEASE});", STORE_IF_EMPTY.format(1)),
            (f"{EXCHANGE}(field, empty1, 2, {RELEASE});", STORE_IF_EMPTY.format(2)),
        ],
        "values are published in no order": [(RELEASE, RELAXED)],
        "a loser reads the winner's pointer in no order, and its own attempt orders nothing": [
            (RELEASE, "memory_order_release, memory_order_relaxed"),
            ("(field, memory_order_acquire)", "(field, memory_order_relaxed)"),
        ],
    },
    "count_first": {
        "the field's reference is counted after the value was published": [
            (COUNT, ""),
            (f"(field, empty, 1, {RELEASE});\n", f"(field, empty, 1, {RELEASE});\n{COUNT}"),
        ],
    },
    "reference": {
        "a reader counts an object whose count is 0": [("(seen != 0)", "(seen != 9)")],
        "a reader takes no reference": [(f"{EXCHANGE}(count, expected, seen + 1, {SEQUENTIAL})", "1")],
    },
    "reuse": {
        "a reader does not look at the field again": [(LOOK.format("field"), "returned = 1;\n")],
        "a reader looks at the field again too early": [
            (LOOK.format("field"), "\n"),
            ("*expected = seen;\n", LOOK.format("field") + "*expected = seen;\n"),
        ],
        "a reader counts in no order": [(f"seen + 1, {SEQUENTIAL}", f"seen + 1, {RELAXED}")],
    },
    "locked": {
        "a value is replaced without the lock": [(LOCK.format(0), "1"), (REPLACE + UNLOCK, REPLACE)],
        "a value is replaced after the lock was released": [(REPLACE + UNLOCK, UNLOCK + REPLACE)],
        "the lock orders nothing": [
            ("memory_order_acquire, memory_order_relaxed", RELAXED),
            ("(mutex, 0, memory_order_release)", "(mutex, 0, memory_order_relaxed)"),
        ],
    },
    "replace": {
        "a value is taken without the lock": [
            (LOCK.format(1), "1"),
            (f"(field, 0, memory_order_acq_rel);\n{UNLOCK}", "(field, 0, memory_order_acq_rel);\n"),
        ],
    },
    "refill": {
        "keys and values are written in no order": [
            ("(key, 2, memory_order_release)", "(key, 2, memory_order_relaxed)"),
            ("(value, 2, memory_order_release)", "(value, 2, memory_order_relaxed)"),
        ],
        "a value is read in no order": [("(value, memory_order_acquire)", "(value, memory_order_relaxed)")],
        "`changes` is made odd too late": [
            (ODD, ""),
            ("(value, 2, memory_order_release);\n", f"(value, 2, memory_order_release);\n{ODD}"),
        ],
        "`changes` is not read again": [("(after == before)", "(before == before)")],
        "a later change is noted in no order": [
            ("(changes, 4, memory_order_release)", "(changes, 4, memory_order_relaxed)"),
        ],
    },
    "grow": {
        "the old entries are not emptied": [(EMPTY, "")],
        "the old entries are emptied too late": [(EMPTY, ""), (f"{COUNT}  }}\n", f"{COUNT}  }}\n{EMPTY}")],
        "a reader does not look at the entry again": [(LOOK.format("old"), "returned = 1;\n")],
    },
}

#: The same for the files in `aarch64/`: the compiler's option for the processor, the functions in `functions.c` that
#: the two threads run, and the mistakes.
AARCH64: dict[str, tuple[str, list[str], dict[str, list[tuple[str, str]]]]] = {
    "publish": (
        "-march=armv8.1-a",
        ["litmus_publish", "litmus_read"],
        {
            "a value is published in no order": [("CASAL", "CAS")],
            "a pointer is read in no order": [("LDAR", "LDR")],
        },
    ),
    "publish_exclusive": (
        "-march=armv8-a",
        ["litmus_publish", "litmus_read"],
        {
            "a value is published in no order": [("STLXR", "STXR")],
            "a pointer is read in no order": [("LDAR", "LDR")],
        },
    ),
    "two_publishers": (
        "-march=armv8.1-a",
        ["litmus_publish_or_read", "litmus_publish_or_read"],
        {"values are published in no order": [("CASAL", "CAS")]},
    ),
    "refill": (
        "-march=armv8.1-a",
        ["litmus_refill", "litmus_peek"],
        {
            "keys and values are written in no order": [
                ("STLR X4,[X1]", "STR X4,[X1]"),
                ("STLR X4,[X2]", "STR X4,[X2]"),
            ],
            "a value is read in no order": [("LDAR X5", "LDR X5")],
        },
    ),
    "count_first": (
        "-march=armv8.1-a",
        ["litmus_count_and_publish", "litmus_take_and_drop"],
        {
            "the field's reference is counted after the value was published": [
                ("MOV X3,#1 ", "MOV X4,#0 "),
                ("LDADDAL X3,X3,[X0]", "CASAL X4,X2,[X1]  "),
                ("MOV X0,#0 ", "MOV X3,#1 "),
                ("CASAL X0,X2,[X1]  ", "LDADDAL X3,X3,[X0]"),
            ],
        },
    ),
    "reference": (
        "-march=armv8.1-a",
        ["litmus_take_and_free", "litmus_read_counted"],
        {"a reader takes no reference": [("CASAL X4,X5,[X1]", "NOP             ")]},
    ),
    "reuse": (
        "-march=armv8.1-a",
        ["litmus_take_and_reuse", "litmus_read_counted"],
        {"a reader counts in no order": [("CASAL X4", "CAS X4")]},
    ),
    "grow": (
        "-march=armv8.1-a",
        ["litmus_empty_and_reuse", "litmus_read_counted"],
        {"the old entries are not emptied": [("STLR XZR,[X0]", "NOP          ")]},
    ),
}


#: The second option leaves out executions that the model forbids anyway. Without it, some files take 15 seconds.
ON_AARCH64 = ("-model", "aarch64.cat", "-optace", "true")


def herd() -> list[str] | None:
    """Return the command that runs herd7, or None if it is not here."""
    if named := os.environ.get("GILONCE_HERD_ROOT"):
        root = Path(named)
        if (root / "usr/bin/herd7").exists():
            libraries = f"{root}/usr/lib/x86_64-linux-gnu"
            loader = [f"{root}/lib64/ld-linux-x86-64.so.2", "--library-path", libraries]
            return [*loader, f"{root}/usr/bin/herd7", "-set-libdir", f"{root}/usr/share/herdtools7/herd"]
    return ["herd7"] if shutil.which("herd7") else None


needs_herd = pytest.mark.skipif(herd() is None, reason="herd7 is not here")


def outcomes(file: Path, *options: str) -> str:
    """Return whether the outcome that must not be observed is: "Never", "Sometimes" or "Always"."""
    command = herd()
    assert command is not None
    model = options or ("-model", "rc11.cat")
    done = subprocess.run([*command, *model, str(file)], capture_output=True, text=True, check=False)
    observed = re.search(rf"^Observation {file.stem} (\w+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    assert observed, done.stdout + done.stderr
    assert done.stderr == ""
    # The program has executions at all: none of them was lost to a filter, for example.
    assert int(observed[2]) + int(observed[3]) >= 2
    return observed[1]


@needs_herd
@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_must_never_be_observed_is_not(file: Path) -> None:
    assert outcomes(file) == "Never"


@needs_herd
@pytest.mark.slow
@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name, twins in TWINS.items() for mistake in twins])
def test_a_mistake_in_the_protocol_is_found(tmp_path: Path, name: str, mistake: str) -> None:
    text = (HERE / f"{name}.litmus").read_text(encoding="utf-8")
    for right, wrong in TWINS[name][mistake]:
        assert right in text, f"{name}.litmus has changed"
        text = text.replace(right, wrong)
    (tmp_path / f"{name}.litmus").write_text(text, encoding="utf-8")
    assert outcomes(tmp_path / f"{name}.litmus") in ("Sometimes", "Always")


@needs_herd
@pytest.mark.slow
@pytest.mark.parametrize("file", AARCH64_FILES, ids=lambda file: file.stem)
def test_what_must_never_be_observed_is_not_on_aarch64(file: Path) -> None:
    assert outcomes(file, *ON_AARCH64) == "Never"


@needs_herd
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mistake"), [(name, mistake) for name, (_, _, twins) in AARCH64.items() for mistake in twins]
)
def test_a_mistake_in_the_protocol_is_found_on_aarch64(tmp_path: Path, name: str, mistake: str) -> None:
    text = (HERE / "aarch64" / f"{name}.litmus").read_text(encoding="utf-8")
    for right, wrong in AARCH64[name][2][mistake]:
        assert right in text, f"aarch64/{name}.litmus has changed"
        text = text.replace(right, wrong)
    (tmp_path / f"{name}.litmus").write_text(text, encoding="utf-8")
    assert outcomes(tmp_path / f"{name}.litmus", *ON_AARCH64) == "Sometimes"


def memory_accesses(lines: list[str]) -> list[tuple[str, int]]:
    """Return the instructions that access memory, each with a number for its address: that of its first occurrence."""
    accesses = [
        (found[1].lower(), found[2].lower())
        for line in lines
        if (found := re.match(r"\s*((?:ld|st|cas|swp)\w*)\s.*\[(\w+)", line, re.IGNORECASE))
    ]
    addresses = list(dict.fromkeys(address for _, address in accesses))
    return [(instruction, addresses.index(address)) for instruction, address in accesses]


@functools.cache
def compiled(processor: str) -> str:
    """Return what gcc makes of `functions.c`."""
    options = ["-std=c11", "-O2", processor, "-mno-outline-atomics", "-DPy_GIL_DISABLED=1"]
    options += [f"-I{HEADERS}", f"-I{HEADERS / 'python3.14'}", f"-I{NATIVE}"]
    command = [GCC, *options, "-S", "-o", "-", str(HERE / "aarch64" / "functions.c")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(GCC), reason=f"{GCC} is not here")
@pytest.mark.skipif(not C_LIBRARY.exists(), reason="the C library for aarch64, libc6-dev-arm64-cross, is not here")
@pytest.mark.skipif(
    not (HEADERS / "python3.14").exists(), reason="there are no headers for aarch64: see programs/cross_compile.py"
)
@pytest.mark.parametrize("name", AARCH64)
def test_gcc_compiles_the_core_to_these_memory_accesses(name: str) -> None:
    processor, functions, _ = AARCH64[name]
    assembly = compiled(processor)
    columns = [
        line.split("|") for line in (HERE / "aarch64" / f"{name}.litmus").read_text().splitlines() if "|" in line
    ]
    for thread, function in enumerate(functions):
        body = re.search(rf"^{function}:\n(.*?)\.size", assembly, re.MULTILINE | re.DOTALL)
        assert body is not None
        written = [column[thread] for column in columns[1:]]
        assert memory_accesses(body[1].splitlines()) == memory_accesses(written)


def test_every_file_has_a_broken_twin() -> None:
    assert [file.stem for file in FILES] == sorted(TWINS)
    assert [file.stem for file in AARCH64_FILES] == sorted(AARCH64)


def test_the_core_names_every_file_at_the_code_that_it_follows() -> None:
    named = set()
    for source in NATIVE.glob("*.[ch]"):
        named |= set(re.findall(r"tests/litmus/(\w+)\.litmus", source.read_text(encoding="utf-8")))
    assert named == {file.stem for file in FILES}
