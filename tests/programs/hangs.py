"""Every way to hang, tried on gilonce and its peers.

    python tests/programs/hangs.py [--scenario NAME ...] [--tool NAME ...]

The scenarios and the tools are in `hanging/`. Each scenario is played with each tool in a process of its own. There a
watchdog dumps all stacks and ends the process; the parent has a time limit too. The outcomes:

* `ok`: the program went on, and no law that the scenario's docstring names was broken;
* `told`: the same, and some caller got an error that the tool promises instead of an endless wait;
* `hangs`: the watchdog ended it;
* `wrong`: the program went on and broke a law, or the process ended;
* `n/a`: the tool has no such form (asynchronous, per instance, or per arguments);
* `missing`: the tool is not installed (`pip install 'gilonce[peers]'`);
* `cannot`: the scenario cannot be played on this interpreter or system.

Without arguments, everything is run and printed as a Markdown table. Progress, and the stacks of everything that hangs,
go to stderr. The column of gilonce shows the worst outcome of all its surfaces; the column of `OnceLock` shows the
worst of both implementations. The exit status is 1 if a surface of gilonce hangs or goes wrong. `--run SCENARIO TOOL
...` plays one scenario in this process, with one tool after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `support`

from hanging import calls, interrupts, tasks, threads
from hanging.play import play
from hanging.scenario import SCENARIOS
from hanging.tools import GILONCE, LOCKS, PEERS, TOOLS
from support import IMPLEMENTATIONS, environment

HERE = Path(__file__).resolve().parent

#: The scenarios, module by module.
NAMES = [
    name
    for module in (threads, calls, interrupts, tasks)
    for name in SCENARIOS
    if SCENARIOS[name].run.__module__ == module.__name__
]

#: How many seconds longer the parent's limit is: a slow machine takes time to start the interpreter.
PATIENCE = 30.0

#: From harmless to harmful.
OUTCOMES = ["n/a", "missing", "cannot", "ok", "told", "wrong", "hangs"]


@dataclass(frozen=True)
class Verdict:
    """The outcome of a scenario with a tool, and details: the stacks, if it hangs."""

    scenario: str
    tool: str
    outcome: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.scenario} with {self.tool}: {self.outcome}\n{self.detail}"


def judge(name: str, tools: Iterable[str], implementation: str, limit: float) -> Iterator[Verdict]:
    """Play a scenario in a process of its own. If one tool ends the process, play the rest in another."""
    scenario = SCENARIOS[name]
    remaining = []
    for tool in tools:
        if not TOOLS[tool].has(scenario.form):
            yield Verdict(name, tool, "n/a")
        elif not TOOLS[tool].is_installed:
            yield Verdict(name, tool, "missing")
        else:
            remaining.append(tool)
    while remaining:
        group = remaining[:1] if scenario.is_alone else remaining
        status, output, errors = _run(name, group, implementation, limit)
        outcomes: list[tuple[str, str, str]] = []
        for line in output.splitlines():
            outcome, _, detail = line.partition(" ")
            if outcome == "begin":
                outcomes.append((detail, "", ""))
            else:
                outcomes[-1] = outcomes[-1][0], outcome, detail
        if not outcomes:
            raise RuntimeError(f"{name} did not begin (status {status})\n{errors}")
        # The last tool is responsible for how the process ended.
        last, outcome, detail = outcomes[-1]
        if status == "timeout" or errors.startswith("Timeout (") or "\nTimeout (" in errors:
            outcomes[-1] = last, "hangs", errors
        elif status != 0 or not outcome:
            outcomes[-1] = last, "wrong", f"{detail}\nthe process ended with status {status}\n{errors}"
        elif outcome not in ("ok", "told"):
            outcomes[-1] = last, outcome, f"{detail}\n{errors}"
        for tool, outcome, detail in outcomes:
            yield Verdict(name, tool, outcome, detail.strip())
        remaining = remaining[len(outcomes) :]


def _judge_all(name: str, tools: Iterable[str], implementations: Iterable[str], limit: float) -> list[Verdict]:
    return [verdict for kind in implementations for verdict in judge(name, tools, kind, limit)]


def _run(name: str, tools: list[str], implementation: str, limit: float) -> tuple[int | str, str, str]:
    """Return the status, the output and the errors of a process that plays a scenario."""
    module = SCENARIOS[name].module
    path = os.pathsep.join(filter(None, [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH")]))
    progress = [int(number) for number in [os.environ.get("GILONCE_PROGRESS")] if number]
    try:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-m", "hanging.play", module, name, str(limit), *tools],
            env={**environment(implementation), "PYTHONPATH": path},
            pass_fds=progress,
            capture_output=True,
            timeout=limit * len(tools) + PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return "timeout", (late.stdout or b"").decode(), (late.stderr or b"").decode()
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def worst(verdicts: Iterable[Verdict]) -> str:
    """Return the outcome that stands for all of them."""
    return max((verdict.outcome for verdict in verdicts), key=OUTCOMES.index)


def _print_versions() -> None:
    gil = "enabled" if getattr(sys, "_is_gil_enabled", lambda: True)() else "disabled"
    print(f"{platform.python_implementation()} {platform.python_version()}, GIL {gil}, {platform.system()}", end="")
    for name in dict.fromkeys(TOOLS[peer].distribution for peer in PEERS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            if name:
                print(f", {name} {importlib.metadata.version(name)}", end="")
    print("\n")


def print_table(names: list[str], peers: list[str], limit: float) -> int:
    """Run the scenarios on everything, print the table, and return the exit status."""
    columns = [(f"gilonce ({kind})", GILONCE, [kind]) for kind in IMPLEMENTATIONS]
    columns.append(("`OnceLock`", LOCKS, IMPLEMENTATIONS))
    columns += [(f"`{peer}`", [peer], IMPLEMENTATIONS[:1]) for peer in peers]
    _print_versions()
    print("|", " | ".join(["", *(title for title, _, _ in columns)]), "|")
    print("|", " | ".join(["---"] * (1 + len(columns))), "|", flush=True)
    if os.name == "posix":  # Windows cannot pass file descriptors on
        os.environ["GILONCE_PROGRESS"] = str(os.dup(sys.stderr.fileno()))
    status = 0
    # A process that hangs uses no processor time, so the others need not wait for it.
    with ThreadPoolExecutor(4) as pool:

        def begin(name: str) -> list[Future[list[Verdict]]]:
            return [pool.submit(_judge_all, name, tools, kinds, limit) for _, tools, kinds in columns]

        for name, row in [(name, begin(name)) for name in names]:
            outcomes = [worst(cell.result()) for cell in row]
            if sys.stderr.isatty():
                print(end="\r\x1b[K", file=sys.stderr, flush=True)  # the last word on progress
            print("|", " | ".join([SCENARIOS[name].title, *outcomes]), "|", flush=True)
            for (title, tools, _), cell in zip(columns, row, strict=True):
                for verdict in cell.result():
                    if verdict.outcome in ("wrong", "hangs"):
                        status |= tools in (GILONCE, LOCKS)
                        print(f"\n{title}: {verdict}", file=sys.stderr, flush=True)
    return status


def main() -> int:
    """Run what the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=float, default=4.0, help="seconds until it counts as hanging (default: 4)")
    parser.add_argument("--scenario", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--tool", nargs="+", choices=list(TOOLS), default=PEERS, metavar="NAME", help="beside gilonce")
    parser.add_argument("--run", nargs="+", metavar=("SCENARIO", "TOOL"), help="play it here, in this process")
    options = parser.parse_args()
    if options.run:
        play(options.run[0], options.run[1:], options.limit)
        return 0
    return print_table(options.scenario, options.tool, options.limit)


if __name__ == "__main__":
    sys.exit(main())
