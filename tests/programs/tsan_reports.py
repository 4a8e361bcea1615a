"""Read the reports of ThreadSanitizer, and find out whose code they are about.

The sanitizer could omit the reports that a suppressions file names, but then it would not show whether the other side
of an omitted race is ours. So it omits nothing here, and each report is compared with the file afterwards.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FRAME = re.compile(r"\s+#\d+ (\S+) (\S+)")
#: Begins the stack of one of the two accesses. Other stacks say where threads and memory come from.
_ACCESS = re.compile(r"  (?:Previous )?(?:atomic )?(?:read|write) of size", re.IGNORECASE)
_BEGINNING = re.compile(r"^WARNING: ThreadSanitizer: (.*?) \(pid=\d+\)$", re.MULTILINE)
#: Below this frame, the stack is no longer about the call that reached the core.
_EVALUATION = "_PyEval_EvalFrameDefault"


@dataclass(frozen=True)
class Frame:
    function: str
    source: str

    @property
    def is_ours(self) -> bool:
        return "gilonce/_native" in self.source

    def __str__(self) -> str:
        return f"{self.function} {Path(self.source).name}"


Stack = tuple[Frame, ...]


@dataclass(frozen=True)
class Report:
    kind: str
    #: The stacks of the accesses, innermost frame first.
    stacks: tuple[Stack, ...]
    text: str

    @property
    def ours(self) -> frozenset[str]:
        """Our functions that called an access without the interpreter's loop in between."""
        return frozenset(frame.function for stack in self.stacks for frame in _of_the_call(stack) if frame.is_ours)

    @property
    def is_in_ours(self) -> bool:
        """Whether an access itself is in our code."""
        return any(stack and stack[0].is_ours for stack in self.stacks)

    def __str__(self) -> str:
        return f"{self.kind}: " + "; ".join(
            " < ".join(str(frame) for frame in _of_the_call(stack)[:5]) or "(stack lost)" for stack in self.stacks
        )


def _of_the_call(stack: Stack) -> Stack:
    functions = [frame.function for frame in stack]
    return stack[: functions.index(_EVALUATION)] if _EVALUATION in functions else stack


def read(text: str) -> list[Report]:
    """Return the reports in the output of a sanitized process."""
    return list(_reports(text))


def _reports(text: str) -> Iterator[Report]:
    beginnings = list(_BEGINNING.finditer(text))
    ends = [following.start() for following in beginnings[1:]] + [len(text)]
    for beginning, end in zip(beginnings, ends, strict=False):
        body = text[beginning.end() : end].partition("==================")[0]
        stacks: list[list[Frame]] = []
        is_access = False
        for line in body.splitlines():
            frame = _FRAME.match(line)
            if frame is None:
                if line.startswith("  ") and not line.startswith("   "):
                    is_access = beginning[1] != "data race" or _ACCESS.match(line) is not None
                    if is_access:
                        stacks.append([])
            elif is_access:
                stacks[-1].append(Frame(*frame.groups()))
        yield Report(beginning[1], tuple(map(tuple, stacks)), body)


@dataclass(frozen=True)
class Suppression:
    """A line `kind:pattern` of the file. The comment above it is the reason."""

    line: str
    reason: str

    def covers(self, report: Report) -> bool:
        kind, _, pattern = self.line.partition(":")
        if kind not in ("race", "race_top"):
            raise ValueError(f"the suppression {self.line!r} is of a kind that nothing here needs")
        depth = 1 if kind == "race_top" else None
        names = [name for stack in report.stacks for frame in stack[:depth] for name in (frame.function, frame.source)]
        # Matches as the sanitizer does: anywhere in the name, unless the pattern is anchored.
        pattern = f"*{pattern}*".replace("*^", "").replace("$*", "")
        return report.kind.startswith("data race") and any(fnmatch.fnmatchcase(name, pattern) for name in names)

    @property
    def may_meet(self) -> frozenset[str]:
        """Our functions that may be on the other side, as the reason says: "meets: a, b"."""
        return frozenset(name for names in re.findall(r"\bmeets: ([\w, ]+)", self.reason) for name in names.split(", "))


def suppressions(path: Path) -> list[Suppression]:
    """Return the suppressions in the file. A line without a reason is an error."""
    found = []
    reason: list[str] = []
    for line in map(str.strip, path.read_text(encoding="utf-8").splitlines()):
        if line.startswith("#"):
            reason.append(line.lstrip("# "))
        elif line:
            if not reason:
                raise ValueError(f"{path.name}: {line!r} has no reason above it")
            found.append(Suppression(line, " ".join(reason)))
        else:
            reason = []
    return found
