"""What a mutant is: a mistake that someone could make, and the tests that are to notice it."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass

#: What a mutant may need of the interpreter, by how the report calls it.
CONDITIONS = {
    "a build with a GIL": not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "a build without a GIL": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "Python 3.13": sys.version_info >= (3, 13),
    "a debug build": hasattr(sys, "gettotalrefcount"),
}


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Parameters:
        name: what is wrong, as a short sentence.
        file: where, in `gilonce/`.
        old: the text that is replaced, which must be there exactly once.
        new: what replaces it.
        tests: the node ids, in `tests/`, of the tests that are to fail; "{}" in them is the implementation.
        also: further replacements in the same file.
        hangs: whether somebody waits in vain because of it. Then patience is short, and a run that does
            not come to an end is a kill, if of another kind; of other mutants it is an error.
        needs: which of `CONDITIONS` must hold.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()
    hangs: bool = False
    needs: str = ""

    def apply(self, text: str) -> str:
        """Return `text` with the mistake in it."""
        for old, new in ((self.old, self.new), *self.also):
            found = text.count(old)
            if found != 1:
                raise LookupError(f"{self.name!r} has lost its place: {self.file} has {found} of {old!r}, not 1")
            text = text.replace(old, new)
        return text
