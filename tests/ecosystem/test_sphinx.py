"""Sphinx: what autodoc writes about decorated attributes, beside those of functools; and with the extension."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import WATCHDOG, environment
from support.comparison import Case, Given, Tool, where_gilonce_is

SPHINX = Tool("sphinx", "Sphinx")

#: What is documented. What stands for `once` and `once_property` depends on the case.
DOCUMENTED = """
'''A module.'''

def fail():
    with open("ran", "w"):
        raise RuntimeError("an initializer ran")

class Owner:
    '''A class.'''

    @once_property
    def plain(self) -> int:
        '''The plain one.'''
        fail()

    @once
    def method(self) -> int:
        '''The method.'''
        fail()

    @classmethod
    @once
    def factory(cls) -> int:
        '''The class method.'''
        fail()

@once
def function() -> int:
    '''The function.'''
    fail()
"""

OURS = """
from gilonce import lazy_global

class Config:
    '''The class of the configuration.'''

#: The configuration.
CONFIG = lazy_global(fail, interface=Config)

class Slotted:
    '''A class with slots.'''

    __slots__ = ("_in_slot",)

    @once_property(slot="_in_slot")
    def in_slot(self) -> int:
        '''The one in a slot.'''
        fail()

class Later:
    '''A class to await.'''

    @once_property
    async def later(self) -> int:
        '''The one to await.'''
        fail()
"""

#: What the extension documents better.
LAZY = """
#: Whatever it is.
ANYTHING = lazy_global(fail)

def make() -> Config:
    '''Make the configuration.'''
    fail()

#: Annotated.
ANNOTATED = lazy_global(make)

#: A class.
KIND = lazy_global(fail, interface=type)

class Lazy:
    '''A lazy class.'''

    @once_property
    @classmethod
    def of_class(cls) -> int:
        '''The one of the class.'''
        fail()

    @once_property
    @staticmethod
    def of_all() -> int:
        '''The one of all.'''
        fail()

    @once_property
    @classmethod
    def bare(cls) -> int:
        fail()

class Lazier(Lazy):
    '''A class that overrides.'''

    @once_property
    @classmethod
    def of_class(cls) -> int:
        fail()
"""


TABLE = """
#: A table.
TABLE = lazy_global(fail, interface=dict)
"""

SUMMARY = """
X
=

.. autosummary::
   :toctree: generated
   :recursive:

   documented
   documented.ANYTHING
   documented.TABLE
   documented.Lazier
"""


@functools.cache
def build(folder: Path, decorators: str, implementation: str, *extensions: str) -> tuple[str, bool]:
    """Return the documentation, with its empty lines left out, and whether an initializer ran."""
    # A name of its own, because Sphinx and the interpreter remember modules.
    source = folder / "-".join([decorators, implementation, *extensions]).replace(".", "_")
    source.mkdir()
    if decorators == "functools":
        text = "from functools import cache as once, cached_property as once_property\n" + DOCUMENTED
    else:
        text = f"import gilonce\nassert gilonce.__implementation__ == {implementation!r}\n"
        text += "from gilonce import once, once_property\n" + DOCUMENTED + OURS + LAZY
        # A proxy in Python that stands for a dict is a Mapping. Sphinx logs it, and logging asks for its truth.
        text += TABLE if implementation == "native" or extensions else ""
    (source / "documented.py").write_text(text, encoding="utf-8")
    (source / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(source)!r})\nextensions = {['sphinx.ext.autodoc', *extensions]}\n"
        "autosummary_generate = True\n",
        encoding="utf-8",
    )
    has_summary = "sphinx.ext.autosummary" in extensions
    index = SUMMARY if has_summary else "X\n=\n\n.. automodule:: documented\n   :members:\n   :undoc-members:\n"
    (source / "index.rst").write_text(index, encoding="utf-8")
    strict = [] if has_summary else ["-W"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", *strict, "-E", "-b", "text", ".", "out"],
        cwd=source,
        env={**environment(implementation), "PYTHONPATH": where_gilonce_is(), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=4 * WATCHDOG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = (source / "out" / "index.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.strip() for line in lines if line.strip()), (source / "ran").exists()


#: The folder of the running test, for the cases.
_folder: list[Path] = []


def add_case(name: str, what: str, expected: str) -> None:
    def use(given: Given) -> None:
        implementation = "python" if os.environ.get("GILONCE_PURE_PYTHON") else "native"
        text, has_run = build(_folder[-1], given.name, implementation)
        assert expected in text
        assert not has_run

    use.__name__ = name
    use.__doc__ = what
    SPHINX.case()(use)


add_case("plain", "An attribute is a property, with its type and docstring.", "property plain: int\nThe plain one.")
add_case("method", "A method, with its signature and docstring.", "method() -> int\nThe method.")
add_case("factory", "A class method above it.", "classmethod factory() -> int\nThe class method.")
add_case("function", "A function.", "documented.function() -> int\nThe function.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documentation")


@pytest.mark.parametrize("case", SPHINX.cases, ids=str)
def test_autodoc_does_what_it_does_with_functools(gilonce: ModuleType, folder: Path, case: Case) -> None:
    _folder.append(folder)
    case.check(gilonce)


def test_autodoc_computes_nothing(gilonce: ModuleType, folder: Path) -> None:
    """Without the extension, too."""
    SPHINX.require()
    text, has_run = build(folder, "gilonce", gilonce.__implementation__)
    assert not has_run
    for name in ("CONFIG", "KIND", "ANNOTATED", *(["TABLE"] if gilonce.__implementation__ == "native" else [])):
        assert f"documented.{name} = <lazy_global: " in text
    assert "The configuration." in text
    assert "of_class\nThe one of the class." in text
    assert "in_slot\nThe one in a slot." in text
    assert "later\nThe one to await." in text


def test_the_extension_documents_all_and_computes_nothing(gilonce: ModuleType, folder: Path) -> None:
    SPHINX.require()
    text, has_run = build(folder, "gilonce", gilonce.__implementation__, "gilonce.sphinx")
    assert not has_run
    for name, doc in {
        "plain": "The plain one.",
        "in_slot": "The one in a slot.",
        "later": "The one to await.",
        "of_class": "The one of the class.",
        "of_all": "The one of all.",
    }.items():
        assert f"property {name}: int\n{doc}" in text
    assert "documented.CONFIG = <lazy_global: fail() not yet called>\nThe configuration." in text
    assert "documented.ANYTHING = <lazy_global: fail() not yet called>\nWhatever it is." in text
    assert "property bare: int" in text
    # The override has the docstring of what it overrides.
    assert text.count("property of_class: int\nThe one of the class.") == 2


@pytest.mark.parametrize(
    "extensions",
    [
        ["sphinx.ext.autosummary"],
        ["sphinx.ext.autosummary", "gilonce.sphinx"],
        ["gilonce.sphinx", "sphinx.ext.autosummary"],
    ],
    ids=["autosummary", "autosummary-gilonce", "gilonce-autosummary"],
)
def test_autosummary_computes_nothing(gilonce: ModuleType, folder: Path, extensions: list[str]) -> None:
    """In either order of the extensions. It takes a lazy global of which nothing is known for a function."""
    SPHINX.require()
    text, has_run = build(folder, "gilonce", gilonce.__implementation__, *extensions)
    assert not has_run
    assert "documented.TABLE" in text
    assert "documented.Lazier" in text
