"""The documents: every code block runs when it alone is pasted into a file, and every path and link leads somewhere."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = [
    README,
    *(path for name in ("examples", "tests", ".github") for path in sorted((ROOT / name).rglob("*.md"))),
]
#: Where tests/programs/interpreters.py runs the tests, there are no folders whose names begin with a dot.
HAS_DOT_FOLDERS = (ROOT / ".github").exists()


#: Packages that a block may use, and that the extra `ecosystem` has.
NOT_REQUIRED = {"httpx"}


class Block(NamedTuple):
    """A fenced block: its document, its line, its language and its text."""

    document: Path
    line: int
    language: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    """Yield every fenced block of every document."""
    for document in DOCUMENTS:
        content = document.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", content, re.MULTILINE | re.DOTALL):
            yield Block(document, content.count("\n", 0, match.start()) + 1, match[1], match[2])


BLOCKS = list(blocks())
PYTHON = [block for block in BLOCKS if block.language == "python"]


def anchors(document: Path) -> set[str]:
    """Return the fragments to which a link can lead in a document."""
    prose = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("block", PYTHON, ids=[block.id for block in PYTHON])
def test_a_python_block_runs_as_a_file_of_its_own(gilonce: ModuleType, block: Block, tmp_path: Path) -> None:
    """A reader can paste any block into a new file and run it: it needs nothing from the blocks above."""
    for package in sorted(NOT_REQUIRED & set(re.findall(r"^import (\w+)$", block.text, re.MULTILINE))):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[ecosystem]'")
    file = tmp_path / "pasted.py"
    file.write_text(block.text, encoding="utf-8")
    runpy.run_path(str(file), run_name="__main__")


def test_readme_and_cook_book_have_blocks_to_run() -> None:
    """A change to how blocks are found must not pass because it finds none."""
    for document in DOCUMENTS[:2]:
        assert sum(block.document == document for block in PYTHON) > 5


def test_every_block_is_one_that_a_test_knows() -> None:
    """Python runs here, commands run in CI, and the one output is compared in test_examples.py."""
    assert {block.language for block in BLOCKS} <= {"python", "console", "text"}
    assert [block.document for block in BLOCKS if block.language == "text"] == [README]


def test_the_first_block_is_two_commands() -> None:
    """The first runs the main job, the second the tests."""
    first, second = BLOCKS[0].text.splitlines()
    assert first == "python -m pip install . && python examples/race.py"
    assert second.startswith("python -m pip install ")
    assert second.endswith(" && python -m pytest")


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(document.relative_to(ROOT)) for document in DOCUMENTS])
def test_every_path_and_link_leads_somewhere(document: Path) -> None:
    """A path or a command in a document names a file, and a relative link a file and a heading in it."""
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.])((?:examples|tests|gilonce|\.github|\.ci)/[\w/.-]*\w)", text)
    missing = {name for name in named if not (ROOT / name).exists()}
    for target in re.findall(r"\]\((?!\w+:)([^)]+)\)", text):
        path, _, fragment = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        if not linked.exists():
            missing.add(str(linked.relative_to(ROOT)))
        elif fragment and fragment not in anchors(linked):
            missing.add(target)
    assert {name for name in missing if HAS_DOT_FOLDERS or not name.startswith(".")} == set()


def test_readme_has_at_most_1400_words() -> None:
    """A reader decides in a minute. Code blocks do not count, tables do."""
    prose = re.sub(r"^```.*?^```$", "", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"[\w][\w'./-]*", prose)) <= 1400
