"""No way to hang hangs gilonce; and the harness that says so, `hangs.py`, does see what hangs and what goes wrong."""

from __future__ import annotations

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

#: Seconds until a step of a scenario counts as hanging: many, for a machine that is slow.
LIMIT = 20.0

#: One of each kind, for what takes a process per surface.
KINDS = ["cell", "once_function", "once_method", "property_in_dict", "property_in_slot", "property_of_class", "proxy"]

#: What takes a first touch per bytecode: a test is not to take on too many surfaces of them.
LONG = ["interrupt", "signal_handler_at_every_bytecode"]

#: What takes several threads per bytecode, or an event loop, too: two surfaces have to do.
LONGEST = {
    "interrupt_who_is_waited_for": ["cell", "once_method"],
    "interrupt_who_waits": ["cell", "once_method"],
    "interrupt_of_a_task": ["async_cell", "async_property"],
    "interrupt_of_a_task_that_waits": ["async_cell"],
}
#: By the form that they have: the two places where attempts are entered, which are the cell and the definition; and
#: what there is that is asynchronous.
LOCKS_OF_LONG = {
    "make": ["lock_cell", "lock_once_method"],
    "make_async": ["lock_async_cell", "lock_once_async_function"],
}


#: What a scenario comes to with `OnceLock`: "ok", where it is not one of these.
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


def cases() -> Iterator[Any]:
    """Yield each scenario with the surfaces to play it with in one test."""
    able = [tool for tool in GILONCE if TOOLS[tool].has("make")]
    for name, scenario in SCENARIOS.items():
        if name in LONGEST:
            groups = [LONGEST[name]]
        elif scenario.is_alone:
            groups = [[tool] for tool in KINDS]
        elif name in LONG:
            groups = [able[first : first + 3] for first in range(0, len(able), 3)]
        else:
            yield pytest.param(name, GILONCE, id=name)
            continue
        for tools in groups:
            yield pytest.param(name, tools, id=f"{name}-{tools[0]}")


@pytest.mark.parametrize(("name", "tools"), list(cases()))
def test_gilonce_goes_on(gilonce: ModuleType, name: str, tools: list[str]) -> None:
    """Laws 1 to 3: whatever the program is in the middle of, each surface comes back, with one object for all."""
    outcomes = []
    for verdict in judge(name, tools, gilonce.__implementation__, LIMIT):
        # One that hangs is enough: the others would take as long again.
        assert verdict.outcome in ("ok", "n/a", "cannot"), str(verdict)
        if verdict.outcome == "cannot":
            pytest.skip(verdict.detail)
        outcomes.append(verdict.outcome)
    assert "ok" in outcomes


def lock_cases() -> Iterator[Any]:
    """Yield each scenario with the surfaces of `OnceLock` to play it with in one test."""
    for name, scenario in SCENARIOS.items():
        # At the process's end, one tells as much as all, which would take a process each.
        tools = LOCKS[:1] if scenario.is_alone else LOCKS
        if name in LONG or name in LONGEST:
            tools = LOCKS_OF_LONG[scenario.form]
        # With these, there is nothing to discard.
        if any(TOOLS[tool].has(scenario.form) for tool in tools):
            yield pytest.param(name, tools, id=name)


@pytest.mark.parametrize(("name", "tools"), list(lock_cases()))
def test_a_lock_goes_on_or_tells(gilonce: ModuleType, name: str, tools: list[str]) -> None:
    """What is seen to be a deadlock is told in one place, at once; what cannot be seen, after the timeout; no more."""
    expected = ("told", TOLD[name]) if name in TOLD else ("ok", "")
    outcomes = []
    for verdict in judge(name, tools, gilonce.__implementation__, LIMIT):
        if verdict.outcome == "cannot":
            pytest.skip(verdict.detail)
        if verdict.outcome != "n/a":
            assert (verdict.outcome, verdict.detail) == expected, str(verdict)
        outcomes.append(verdict.outcome)
    assert expected[0] in outcomes


#: Who is caught by each scenario, as what, if it is not a lock that hangs.
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


@pytest.mark.parametrize("room", dict.fromkeys(scenario.room for scenario in SCENARIOS.values()))
def test_every_scenario_catches_someone(room: str) -> None:
    """A scenario that every tool survives would prove nothing."""
    expected = [
        (name, *CAUGHT.get(name, ("naive_lock", "hangs")))
        for name, scenario in SCENARIOS.items()
        if scenario.room == room
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
    """Should even the watchdog hang, the parent ends the process, and calls it hanging."""

    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"], b"begin cell\nok \nbegin proxy\n", b"")

    monkeypatch.setattr(subprocess, "run", run)
    outcomes = [verdict.outcome for verdict in judge("reentry", ["cell", "proxy"], "python", LIMIT)]
    assert outcomes == ["ok", "hangs"]


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
