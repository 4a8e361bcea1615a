"""`programs/real_cases.py` counts the races that threads lose, with cases that need no packages."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import real_cases

#: A case does not depend on how threads are scheduled here, so few races are enough.
RACES = ["--races", "3", "--threads", "4"]


class Made(real_cases.Case):
    """A function that hands out one object, or as many as there are threads."""

    package = "gilonce"
    function = "made"

    #: Whether each thread gets another object: as released, and after `replace`.
    is_wrong = True, False

    def __init__(self, threads: int) -> None:
        self._objects = [object() for _ in range(threads)]
        self._is_replaced = False

    def call(self, thread: int) -> object:
        return self._objects[thread if self.is_wrong[self._is_replaced] else 0]

    def forget(self) -> None:
        pass

    def replace(self, discard: Callable[[object], object]) -> Callable[[], object]:
        self._is_replaced = True
        discard("a loser")
        return self.forget


class WrongAfterwards(Made):
    """A case in which the replaced function is wrong."""

    is_wrong = False, True


class Raising(Made):
    """A case whose function does not work."""

    def call(self, thread: int) -> object:
        raise LookupError(thread)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A way to run the program with one case, as if its package was installed."""

    def run_case(case: type[real_cases.Case], *, found: str = "1.0") -> int:
        monkeypatch.setattr(real_cases, "CASES", {"made": case})
        monkeypatch.setattr(real_cases, "VERSIONS", {"gilonce": "1.0"})
        monkeypatch.setattr(real_cases, "version", lambda package: found)
        monkeypatch.setattr(sys, "argv", ["real_cases.py", *RACES])
        return real_cases.main()

    return run_case


def test_lost_races_of_the_released_function_are_counted(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """They do not count as errors of gilonce."""
    assert run(Made) == 0
    assert "| `made` | gilonce 1.0 | `made` | 3 (100.0%) | `@once` | 0 | 1 |\n" in capsys.readouterr().out


def test_a_second_object_from_gilonce_is_an_error(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """It makes the exit status 1."""
    assert run(WrongAfterwards) == 1
    assert "| 0 | `@once` | 3 (100.0%) | 1 |\n" in capsys.readouterr().out


def test_an_exception_ends_the_program(run: Callable[..., int]) -> None:
    """It does not count as an object."""
    with pytest.raises(LookupError):
        run(Raising)


def test_another_version_is_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what to install."""
    with pytest.raises(SystemExit):
        run(Made, found="1.1")
    assert "gilonce 1.1 is installed; write: pip install gilonce==1.0" in capsys.readouterr().err


def test_the_docstring_names_the_versions_that_are_raced() -> None:
    """And no case has a package without a version."""
    pins = " ".join(f"{package}=={version}" for package, version in real_cases.VERSIONS.items())
    assert f"    pip install {pins}\n" in (real_cases.__doc__ or "")
    assert {case.package for case in real_cases.CASES.values()} == set(real_cases.VERSIONS)


def test_the_switch_interval_is_put_back(run: Callable[..., int]) -> None:
    """The tests after this one run as before."""
    before = sys.getswitchinterval()
    run(Made)
    assert sys.getswitchinterval() == before
