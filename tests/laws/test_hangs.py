"""No scenario hangs gilonce, and the harness, `programs/hangs.py`, notices what hangs or goes wrong."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import hangs
import pytest
from hanging.naive import NAIVE
from hanging.scenario import SCENARIOS
from hanging.tools import GILONCE, LOCKS, PEERS, TOOLS
from hangs import Verdict, judge

#: Seconds after which a step of a scenario counts as hanging: many, because a machine may be slow.
LIMIT = 20.0

#: One surface for each place of a value: the scenarios that take a process per surface are played with these.
REPRESENTATIVES = [
    "cell",
    "once_function",
    "once_method",
    "property_in_dict",
    "property_in_slot",
    "property_of_class",
    "proxy",
]

#: One scenario of each sort. All others are marked as slow.
QUICK = ["reentry", "two_in_a_cycle", "signal_handler", "finalizer", "fork", "tasks_in_a_cycle"]

#: Scenarios with a first touch per bytecode. Each test plays them with few surfaces.
LONG = ["interrupt", "signal_handler_at_every_bytecode"]

#: Scenarios with several threads or an event loop per bytecode. They are played with two surfaces at most.
LONGEST = {
    "interrupt_who_is_waited_for": ["cell", "once_method"],
    "interrupt_who_waits": ["cell", "once_method"],
    "interrupt_of_a_task": ["async_cell", "async_property"],
    "interrupt_of_a_task_that_waits": ["async_cell"],
}
#: The surfaces for these, by form: one for each place where attempts are registered (the cell and the definition), and
#: the asynchronous ones.
LOCKS_OF_LONG = {
    "make": ["lock_cell", "lock_once_method"],
    "make_async": ["lock_async_cell", "lock_once_async_function"],
}


#: The error that a scenario gives with `OnceLock`. All others give "ok".
TOLD = {
    **dict.fromkeys(
        [
            "reentry",
            "two_in_a_cycle",
            "three_in_a_cycle",
            "signal_handler",
            "signal_handler_at_every_bytecode",
            "finalizer",
            "weak_reference_callback",
            "tasks_in_a_cycle",
        ],
        "DeadlockError",
    ),
    **dict.fromkeys([name for name in SCENARIOS if SCENARIOS[name].is_unseen], "TimeoutError"),
}


def marks(name: str) -> Any:
    return [] if name in QUICK else [pytest.mark.slow]


def cases() -> Iterator[Any]:
    """Yield each scenario with the surfaces to play it with in one test."""
    able = [tool for tool in GILONCE if TOOLS[tool].has("make")]
    for name, scenario in SCENARIOS.items():
        if name in LONGEST:
            groups = [LONGEST[name]]
        elif scenario.is_alone:
            groups = [[tool] for tool in REPRESENTATIVES]
        elif name in LONG:
            groups = [able[first : first + 3] for first in range(0, len(able), 3)]
        else:
            yield pytest.param(name, GILONCE, id=name, marks=marks(name))
            continue
        for tools in groups:
            yield pytest.param(name, tools, id=f"{name}-{tools[0]}", marks=marks(name))


@pytest.mark.parametrize(("name", "tools"), list(cases()))
def test_gilonce_goes_on(gilonce: ModuleType, name: str, tools: list[str]) -> None:
    """Laws 1 to 3: whatever the program is in the middle of, each surface returns, with one object for all."""
    outcomes = []
    for verdict in judge(name, tools, gilonce.__implementation__, LIMIT):
        # One that hangs is enough: each further one would take as long again.
        assert verdict.outcome in ("ok", "n/a", "cannot"), str(verdict)
        if verdict.outcome == "cannot":
            pytest.skip(verdict.detail)
        outcomes.append(verdict.outcome)
    assert "ok" in outcomes


def lock_cases() -> Iterator[Any]:
    """Yield each scenario with the surfaces of `OnceLock` to play it with in one test."""
    for name, scenario in SCENARIOS.items():
        # At the end of the process one surface shows as much as all, and each would take a process.
        tools = LOCKS[:1] if scenario.is_alone else LOCKS
        if name in LONG or name in LONGEST:
            tools = LOCKS_OF_LONG[scenario.form]
        # With these, there is no loser to discard.
        if any(TOOLS[tool].has(scenario.form) for tool in tools):
            yield pytest.param(name, tools, id=name, marks=marks(name))


@pytest.mark.parametrize(("name", "tools"), list(lock_cases()))
def test_a_lock_goes_on_or_tells(gilonce: ModuleType, name: str, tools: list[str]) -> None:
    """A deadlock raises one error, at once, if it can be seen. Otherwise the timeout raises the errors."""
    expected = ("told", TOLD[name]) if name in TOLD else ("ok", "")
    outcomes = []
    for verdict in judge(name, tools, gilonce.__implementation__, LIMIT):
        if verdict.outcome == "cannot":
            pytest.skip(verdict.detail)
        if verdict.outcome != "n/a":
            assert (verdict.outcome, verdict.detail) == expected, str(verdict)
        outcomes.append(verdict.outcome)
    assert expected[0] in outcomes


#: The naive tool that each scenario catches, and its outcome, unless it is a lock that hangs.
CAUGHT = {
    "another_instance": ("naive_lock", "hangs"),
    "thread_dies": ("naive_flag", "wrong"),
    "end": ("naive_thread", "hangs"),
    "interrupt": ("naive_flag", "wrong"),
    "interrupt_who_is_waited_for": ("naive_flag", "wrong"),
    "interrupt_who_waits": ("naive_flag", "wrong"),
    "interrupt_in_c": ("naive_flag", "wrong"),
    "interrupt_in_c_waiting": ("naive_flag", "wrong"),
    "timer": ("naive_flag", "wrong"),
    "cancellation": ("naive_cache", "wrong"),
    "cancellation_while_discarding": ("naive_cache", "wrong"),
}


def catch(name: str, tool: str, outcome: str) -> Verdict:
    """Play a scenario with a tool that it is to catch; what is to hang need not be waited for long."""
    (verdict,) = judge(name, [tool], "python", 1.0 if outcome == "hangs" else LIMIT)
    return verdict


@pytest.mark.slow
@pytest.mark.parametrize("module", dict.fromkeys(scenario.module for scenario in SCENARIOS.values()))
def test_every_scenario_catches_someone(module: str) -> None:
    """A scenario that every tool survives would prove nothing."""
    expected = [
        (name, *CAUGHT.get(name, ("naive_lock", "hangs")))
        for name, scenario in SCENARIOS.items()
        if scenario.module == module
    ]
    # Those that hang take no time of the processor, so they may as well hang together.
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(catch, *zip(*expected, strict=True)))
    escaped = [
        str(verdict)
        for (_, _, outcome), verdict in zip(expected, verdicts, strict=True)
        if verdict.outcome not in (outcome, "cannot")
    ]
    assert not escaped, "\n\n".join(escaped)


def test_who_hangs_is_named_and_its_stacks_are_shown() -> None:
    """The watchdog's dump says where the thread stands; those after the one that hangs are played all the same."""
    verdicts = list(judge("reentry", ["naive_cache", "naive_lock", "naive_flag"], "python", 2.0))
    assert [verdict.outcome for verdict in verdicts] == ["wrong", "hangs", "wrong"]
    assert "Timeout (" in verdicts[1].detail
    assert "naive.py" in verdicts[1].detail
    assert "2 objects were handed out" in verdicts[0].detail


def test_a_child_that_hangs_shows_its_stacks() -> None:
    """The watchdog is not in a forked child; there, a signal takes its place."""
    verdict = catch("fork", "naive_lock", "hangs")
    if verdict.outcome == "cannot":
        pytest.skip(verdict.detail)
    assert verdict.outcome == "hangs"
    assert "naive.py" in verdict.detail


@pytest.mark.parametrize("name", ["reentry", "at_exit"])
def test_to_end_the_process_is_wrong_even_with_status_0(name: str) -> None:
    """A scenario that did not come to its end is not `ok`, however quietly it went."""
    verdict = catch(name, "naive_exit", "wrong")
    assert verdict.outcome == "wrong"
    assert "the process ended with status 0" in verdict.detail


def test_the_parent_has_a_limit_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """If even the watchdog hangs, the parent ends the process, and reports that it hangs."""

    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"], b"begin cell\nok \nbegin proxy\n", b"")

    monkeypatch.setattr(subprocess, "run", run)
    outcomes = [verdict.outcome for verdict in judge("reentry", ["cell", "proxy"], "python", LIMIT)]
    assert outcomes == ["ok", "hangs"]


@pytest.mark.skipif(os.name != "posix", reason="only here can a process be given a file descriptor")
def test_progress_is_shown_inside_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row can take minutes. Each process says which tool it begins with, where the program that started it says."""
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as progress:
        monkeypatch.setenv("GILONCE_PROGRESS", str(writing))
        outcomes = [verdict.outcome for verdict in judge("reentry", ["cell", "proxy"], "python", LIMIT)]
        os.close(writing)
        assert progress.read() == "reentry with cell ...\nreentry with proxy ...\n"
    assert outcomes == ["ok", "ok"]


def test_the_worst_outcome_stands_for_all() -> None:
    """A column of gilonce is `ok` only if every surface is."""
    outcomes = [Verdict("reentry", "cell", outcome) for outcome in hangs.OUTCOMES]
    assert [hangs.worst(outcomes[: index + 1]) for index in range(len(outcomes))] == hangs.OUTCOMES


def test_who_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is not there, and a form that a tool does not have, are said to be so; nothing is run for them."""
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcomes = [verdict.outcome for verdict in judge("cancellation", ["once.once", *NAIVE[2:], "cell"], "python", 1.0)]
    assert outcomes == ["missing", "n/a", "n/a", "n/a", "n/a"]
    assert [verdict.outcome for verdict in judge("reentry", PEERS[:3], "python", 1.0)] == ["missing"] * 3
