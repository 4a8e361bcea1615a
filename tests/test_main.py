"""`python -m gilonce`."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import environment, run_python


@pytest.fixture
def main(gilonce: ModuleType) -> Any:
    """The module behind the command."""
    return importlib.import_module(f"{gilonce.__name__}.__main__")


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command without arguments, not with pytest's."""
    monkeypatch.setattr(sys, "argv", ["gilonce"])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder in which gilonce is installed with a native core."""
    metadata = tmp_path / "site" / "gilonce-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gilonce\nVersion: 0.1.0\n")
    files = ["gilonce/__init__.py", f"gilonce/_native/core{EXTENSION_SUFFIXES[0]}"]
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (metadata.parent / file).parent.mkdir(exist_ok=True)
        (metadata.parent / file).touch()
    return metadata.parent


def table(output: str) -> dict[str, str]:
    """Return the lines that have a name and, after a gap, values. One space is left between the values."""
    rows = [line.split("  ", maxsplit=1) for line in output.splitlines() if "  " in line.strip()]
    return {name: " ".join(values.split()) for name, values in rows}


def expected(gilonce: ModuleType) -> dict[str, str]:
    """Return what the command says on this interpreter."""
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return {
        "gilonce": gilonce.__version__,
        "implementation": gilonce.__implementation__,
        "wrapt": importlib.metadata.version("wrapt"),
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "GIL": "enabled" if gil_enabled else "disabled",
        "": "distinct objects initializer ran two that need each other",
        "functools.cache": "8 8 ok",
        "functools.cached_property": "8 8 ok" if sys.version_info >= (3, 12) else "1 1 deadlock",
        "gilonce.once": "1 8 ok",
        "gilonce.once_property": "1 8 ok",
        "gilonce.lazy_global": "1 8 ok",
    }


VERDICT = """
gilonce gave all threads one object, and no thread waited forever.
functools.cache gave the threads 8 objects.
functools.cached_property {}.
""".format("gave the threads 8 objects" if sys.version_info >= (3, 12) else "deadlocked")


def test_it_says_what_is_installed_and_races(gilonce: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """What a bug report needs, the race in three columns, and a verdict: one object from gilonce, and no deadlock."""
    # Not runpy: pytest's loader for packages with a plugin, which rewrites assertions, cannot be used by it.
    path = Path(gilonce.__file__).with_name("__main__.py")
    names = {"__name__": "__main__", "__package__": "gilonce", "__file__": str(path)}
    # By its specification coverage knows which module it is.
    exec(compile(path.read_text(), str(path), "exec"), {**names, "__spec__": find_spec("gilonce.__main__")})
    output = capsys.readouterr().out
    assert table(output) == expected(gilonce)
    assert output.endswith(VERDICT)


def test_importing_it_prints_nothing(gilonce: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Only `-m` runs the module: tools that import every module of a package get no output."""
    importlib.import_module(f"{gilonce.__name__}.__main__")
    assert capsys.readouterr().out == ""


def test_it_runs_as_a_command(gilonce: ModuleType) -> None:
    """`python -m gilonce` works in a fresh process, and emits no warnings."""
    assert table(run_python(gilonce, "-m", "gilonce")) == expected(gilonce)


def test_version_names_the_implementation_too(gilonce: ModuleType) -> None:
    """`--version` prints one line and runs no race."""
    version = f"gilonce {gilonce.__version__} ({gilonce.__implementation__})\n"
    assert run_python(gilonce, "-m", "gilonce", "--version") == version


def test_help_says_what_the_command_does(gilonce: ModuleType) -> None:
    """`--help` shows how the command is called and what it does."""
    text = run_python(gilonce, "-m", "gilonce", "--help")
    assert text.startswith("usage: python -m gilonce [-h] [--version]\n")
    assert "run a small race that compares gilonce with functools" in " ".join(text.split())


def lock(make: Callable[[], object]) -> Callable[[], object]:
    """Make a value once under a lock. Two such values deadlock, but here the threads give up after a while."""
    it = threading.Lock()
    made: list[object] = []

    def read() -> object:
        if it.acquire(timeout=1):
            if not made:
                made.append(make())
            it.release()
        return made[0] if made else None

    return read


def test_a_tool_with_a_lock_deadlocks(
    main: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last column shows a deadlock, and the verdict names the tool."""
    monkeypatch.setattr(main, "PATIENCE", 0.1)
    monkeypatch.setattr(main, "TOOLS", {"a lock": lock})
    main.main()
    output = capsys.readouterr().out
    assert table(output)["a lock"] == "1 1 deadlock"
    assert output.endswith("\na lock deadlocked.\n")


def test_an_unkept_promise_is_an_error(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If gilonce handed out two objects or deadlocked, the command would say so and fail."""
    for objects, deadlocked, fault in [
        ({"gilonce.once": 2}, set(), "gilonce.once gave the threads 2 objects."),
        ({"gilonce.once": 1}, {"gilonce.once"}, "gilonce.once deadlocked."),
    ]:
        with pytest.raises(SystemExit) as error:
            main.verdict(objects, deadlocked)
        assert str(error.value).splitlines() == [
            fault,
            "This is a bug in gilonce. Please report it with the output above.",
        ]


def test_a_core_that_is_installed_elsewhere_is_found(
    main: Any, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported only if Python serves without GILONCE_PURE_PYTHON."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(site)])
    monkeypatch.setattr(main, "__implementation__", "python")
    monkeypatch.setenv("GILONCE_PURE_PYTHON", "")
    assert main.native_core_elsewhere() == str(site / "gilonce")
    monkeypatch.setenv("GILONCE_PURE_PYTHON", "1")
    assert main.native_core_elsewhere() is None
    monkeypatch.setenv("GILONCE_PURE_PYTHON", "")
    monkeypatch.setattr(main, "__implementation__", "native")
    assert main.native_core_elsewhere() is None
    monkeypatch.setattr(main, "__implementation__", "python")
    (site / "gilonce-0.1.0.dist-info" / "RECORD").unlink()
    assert main.native_core_elsewhere() is None


def test_a_hidden_core_is_mentioned_before_the_race(
    main: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the numbers knows by then that they are not those of the installed gilonce."""
    monkeypatch.setattr(main, "TOOLS", {})
    monkeypatch.setattr(main, "native_core_elsewhere", lambda: "the site's folder")
    main.main()
    facts, note, race, _, _ = capsys.readouterr().out.split("\n\n")
    assert note.splitlines() == [
        f"This is {Path(main.__file__).parent}, which has no compiled core. The gilonce in the site's folder has one.",
        "Run the command in another directory, or install this one again: python -m pip install -e .",
    ]
    assert "GIL" in facts
    assert race.startswith("8 threads read one value at once.")


def test_a_source_tree_that_hides_the_installed_core_says_so(gilonce: ModuleType, site: Path, tmp_path: Path) -> None:
    """In a clone, Python finds the folder `gilonce` before the installed package, so the race would be a slower one."""
    here = tmp_path / "clone"
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
    shutil.copytree(Path(gilonce.__file__ or "").parent, here / "gilonce", ignore=ignored)
    # Nobody asks for Python, on either implementation.
    variables = {**environment("native"), "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "gilonce"], cwd=here, env=variables, capture_output=True, text=True, check=True
    )
    assert table(done.stdout)["implementation"] == "python"
    assert f"This is {here / 'gilonce'}, which has no compiled core." in done.stdout
    assert f"The gilonce in {site / 'gilonce'} has one." in done.stdout
