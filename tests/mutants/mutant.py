"""What a mutant is: a mistake that someone could make, and the tests that are to notice it."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from dataclasses import dataclass

# What a mutant may need of the interpreter, as the report says it, and whether it has that.

GIL = "a build with a GIL"
NO_GIL = "a build without a GIL"
FRONTRUN = "frontrun, on Python 3.12 or newer"
FORK = "fork"

CONDITIONS = {
    GIL: not sysconfig.get_config_var("Py_GIL_DISABLED"),
    NO_GIL: bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "Python 3.11": sys.version_info >= (3, 11),
    "Python 3.13": sys.version_info >= (3, 13),
    FRONTRUN: sys.version_info >= (3, 12) and importlib.util.find_spec("frontrun") is not None,
    FORK: hasattr(os, "fork"),
}

# Tests that many mutants name, to be formatted with a surface.

LAWS = "test_laws.py::test_"
ONE_OBJECT = LAWS + "threads_that_are_all_inside_the_initializer_get_one_object[{{}}-{}]"
NONE = LAWS + "none_is_a_value[{{}}-{}]"
NO_WAITING = LAWS + "a_thread_in_the_initializer_keeps_nobody_waiting[{{}}-{}]"
FAILURE = LAWS + "a_failure_reaches_its_caller_unchanged_and_the_next_call_tries_again[{{}}-{}-ValueError]"
ATTRIBUTE_ERROR = LAWS + "an_attribute_error_of_the_initializer_is_not_taken_for_a_missing_attribute[{{}}-{}]"
LOSERS = LAWS + "every_loser_is_discarded_once_and_the_winner_never[{{}}-{}]"
SHARED = LAWS + "a_loser_that_is_the_winner_is_not_discarded[{{}}-{}]"
BETWEEN = "test_between_bytecodes.py::test_another_thread_may_act_between_any_two_bytecodes[{{}}-{}]"
LAW_FIVE = "test_native.py::test_an_initializer_that_keeps_the_gil_runs_exactly_once[{}]"
LAW_FIVE_BOUND = "test_native.py::test_law_five_holds_per_instance_and_class[{}]"

ENDS = "test_references.py::test_what_was_given_ends[{{}}-{}]"
COUNTED = "test_references.py::test_no_use_leaves_a_reference_behind[{{}}-{}]"

#: In C: bytecode, in which threads may switch.
BYTECODE = '(void)PyRun_SimpleString("[None for _ in range(9)]");\n'


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
