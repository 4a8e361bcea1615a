"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import WATCHDOG, environment, plugin

TESTS = '''
"""
>>> get_settings.__name__
'get_settings'
"""
import gilonce

runs = []


def load():
    runs.append(1)
    return {}


CONFIG = gilonce.lazy_global(load)


class Fixtures:
    pass


@gilonce.once
def get_settings():
    """Made once.

    >>> 1 + 1
    2
    """
    return object()


seen = []


def test_first():
    assert not runs
    seen.append(get_settings())


def test_second():
    seen.append(get_settings())
    assert (seen[0] is seen[1]) == SHARED


def test_with_the_fixture(gilonce_isolated):
    assert not get_settings.cell.is_set()
    assert get_settings() not in seen


def test_last():
    assert (get_settings() in seen) == SHARED
'''


@pytest.fixture(autouse=True)
def _imports_proxies_before_pytester(gilonce: ModuleType) -> None:
    """pytester forgets the modules that a run imports, but the registry would keep the proxies of such a run."""
    gilonce.lazy_global(list)


def run_pytest(gilonce: ModuleType, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin.LOAD, "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment(gilonce.__implementation__),
        capture_output=True,
        text=True,
        timeout=2 * WATCHDOG,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("option", "shared"), [("off", True), ("module", True), ("function", False)])
def test_tests_are_isolated_as_the_ini_file_says(
    gilonce: ModuleType, tmp_path: Path, option: str, shared: bool
) -> None:
    """And neither pytest nor doctest touches a lazy global while it collects, in a conftest file neither."""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ngilonce_isolate = {option}\nfilterwarnings = error\n")
    (tmp_path / "conftest.py").write_text("import gilonce\nBROKEN = gilonce.lazy_global(lambda: 1 / 0)\n")
    (tmp_path / "test_it.py").write_text(f"{TESTS}\nSHARED = {shared}\n")
    done = run_pytest(gilonce, tmp_path, "--doctest-modules")
    assert "6 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("option", ["off", "module", "function"])
def test_it_works_in_a_run_within_a_run(gilonce: ModuleType, pytester: pytest.Pytester, option: str) -> None:
    """Not in a process of its own, so that coverage sees it. A class is collected as ever."""
    pytester.makepyfile(f"{TESTS}\nSHARED = {option != 'function'}\n\n\nclass TestIt:\n    def test_it(self): pass\n")
    done = pytester.runpytest_inprocess(*plugin.LOAD, "--doctest-modules", "-o", f"gilonce_isolate={option}")
    done.assert_outcomes(passed=7)


IN_CLASSES = """
import sys, types, unittest
import gilonce, pytest

class OfModules(types.ModuleType): pass
sys.modules[__name__].__class__ = OfModules

def touched():
    raise SystemError("touched during collection")

CONFIG = gilonce.lazy_global(touched)
test_config = CONFIG

class Service:
    \"\"\"
    >>> 1 + 1
    2
    \"\"\"
    config = CONFIG

class TestIt(Service):
    TestInner = test_config = CONFIG
    def test_it(self): assert vars(TestIt)["test_config"] is vars(TestIt)["TestInner"] is CONFIG

class TestUnit(Service, unittest.TestCase):
    test_config = CONFIG
    def test_it(self): assert vars(TestUnit)["test_config"] is vars(Service)["config"] is CONFIG

@pytest.mark.parametrize("config", [pytest.param(CONFIG), pytest.param(CONFIG, id="named")])
def test_parameter(config, request):
    assert request.node.name in ("test_parameter[config]", "test_parameter[named]")
    assert config is CONFIG

@pytest.mark.parametrize(("config", "number"), [(CONFIG, 1)])
def test_parameters(config, number): assert config is CONFIG
"""


def test_collection_touches_no_lazy_global_in_a_class_or_parameter(
    gilonce: ModuleType, pytester: pytest.Pytester
) -> None:
    """Neither in a module of another class. Afterwards each is where it was."""
    pytester.makepyfile(IN_CLASSES)
    done = pytester.runpytest_inprocess(*plugin.LOAD, "--doctest-modules")
    done.assert_outcomes(passed=6)


def test_it_refuses_another_word_within_a_run(gilonce: ModuleType, pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess(*plugin.LOAD, "-o", "gilonce_isolate=session")
    done.stderr.fnmatch_lines(["*gilonce_isolate is off, function or module, not 'session'*"])


@pytest.mark.slow
def test_each_module_begins_anew(gilonce: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import gilonce\nget = gilonce.once(object)\nget()\n")
    test = "import app\ndef test_it(): assert not app.get.cell.is_set(); app.get()\n"
    test += "def test_again(): assert app.get.cell.is_set()\n"
    for name in ["test_a.py", "test_b.py"]:
        (tmp_path / name).write_text(test)
    done = run_pytest(gilonce, tmp_path, "-o", "gilonce_isolate=module", "-o", "pythonpath=.")
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_another_word_is_refused(gilonce: ModuleType, tmp_path: Path) -> None:
    done = run_pytest(gilonce, tmp_path, "-o", "gilonce_isolate=session")
    assert "gilonce_isolate is off, function or module, not 'session'" in done.stdout + done.stderr


@pytest.mark.slow
def test_pytest_can_be_started_twice_in_one_process(gilonce: ModuleType, tmp_path: Path) -> None:
    """Nothing of the first run is left for the second; a file that cannot be imported is reported as ever."""
    (tmp_path / "test_it.py").write_text(f"{TESTS}\nSHARED = False\n")
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    program = (
        f"by_hand = {plugin.LOAD}"
        """
import doctest, sys
import pytest
from _pytest import fixtures
before = fixtures.safe_getattr, doctest.DocTestFinder._find
options = ["-q", *by_hand, "-p", "no:cacheprovider", "--doctest-modules"]
options += ["-o", "gilonce_isolate=function"]
for _ in range(2):
    assert pytest.main([*options, "test_it.py"]) == 0
    assert pytest.main([*options, "broken.py"]) == 2
    assert (fixtures.safe_getattr, doctest.DocTestFinder._find) == before
    sys.modules.pop("test_it")
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(gilonce.__implementation__),
        capture_output=True,
        text=True,
        timeout=4 * WATCHDOG,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("6 passed") == 2
