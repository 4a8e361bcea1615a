"""The README: every Python block in it runs, and its first block is what a newcomer types."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

README = Path(__file__).parent.parent / "README.md"


def test_every_python_block_runs(gilonce: ModuleType) -> None:
    """One after another, in one namespace, as a reader would try them."""
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(README)
    examples = list(document.examples())
    for example in examples:
        example.evaluate()
    assert len(examples) == len(re.findall(r"^```python$", README.read_text(), re.MULTILINE)) > 10


def test_the_first_block_is_two_commands() -> None:
    """The first runs the main job, the second the tests."""
    block = re.search(r"^```\w+\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block
    first, second = block[1].splitlines()
    assert first == "python -m pip install . && python examples/race.py"
    assert second.startswith("python -m pip install ")
    assert second.endswith(" && python -m pytest")


def test_every_file_that_is_named_is_there() -> None:
    """A path or a command in the README leads somewhere."""
    named = set(re.findall(r"\b((?:examples|tests|gilonce)/\w+\.py)\b", README.read_text()))
    assert named
    assert [name for name in named if not (README.parent / name).is_file()] == []
