"""What a mutant is: a mistake that a programmer could make, and the tests that must notice it."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from dataclasses import dataclass

# What a mutant may need, as the report names it, and whether this interpreter has it.

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

# Tests that many mutants name, to be formatted with the name of a surface.

LAWS = "laws/test_laws.py::test_"
ONE_OBJECT = LAWS + "threads_that_are_all_inside_the_initializer_get_one_object[{{}}-{}]"
NONE = LAWS + "none_is_a_value[{{}}-{}]"
NO_WAITING = LAWS + "a_thread_in_the_initializer_keeps_nobody_waiting[{{}}-{}]"
FAILURE = LAWS + "a_failure_reaches_its_caller_unchanged_and_the_next_call_tries_again[{{}}-{}-ValueError]"
ATTRIBUTE_ERROR = LAWS + "an_attribute_error_of_the_initializer_is_not_taken_for_a_missing_attribute[{{}}-{}]"
LOSERS = LAWS + "every_loser_is_discarded_once_and_the_winner_never[{{}}-{}]"
SHARED = LAWS + "a_loser_that_is_the_winner_is_not_discarded[{{}}-{}]"
BETWEEN = "laws/test_between_bytecodes.py::test_another_thread_may_act_between_any_two_bytecodes[{{}}-{}]"
LAW_FIVE = "native/test_law_five.py::test_an_initializer_that_keeps_the_gil_runs_exactly_once[{}]"
LAW_FIVE_BOUND = "native/test_law_five.py::test_law_five_holds_per_instance_and_class[{}]"

DICT_AFTER = (
    "surfaces/test_once_property_changes.py::"
    "test_a_name_is_decided_before_the_initializer_runs_and_the_dict_found_after_it[{{}}-{}]"
)

ENDS = "laws/test_references.py::test_what_was_given_ends[{{}}-{}]"
COUNTED = "laws/test_references.py::test_no_use_leaves_a_reference_behind[{{}}-{}]"

#: C code that runs bytecode, in which threads may switch.
BYTECODE = '(void)PyRun_SimpleString("[None for _ in range(9)]");\n'


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Parameters:
        name: what is wrong, as a short sentence.
        file: the file, in `gilonce/`.
        old: the text to replace, which must occur exactly once.
        new: the new text.
        tests: the node ids, relative to `tests/`, of tests of which one must fail. "{}" in them stands for the
            implementation.
        also: further replacements in the same file.
        hangs: whether a thread or task waits for ever because of the mistake. Then the tests wait for a short time
            only, and a run without an end counts as a kill. For other mutants it is an error.
        needs: the name of one of `CONDITIONS` that must hold.
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
