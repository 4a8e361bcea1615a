"""Mistakes in `gilonce/_cells/racing.py`, and in what it takes from `arguments.py` and `discarding.py`."""

from __future__ import annotations

from mutant import ATTRIBUTE_ERROR, BETWEEN, FAILURE, LAWS, LOSERS, NO_WAITING, NONE, ONE_OBJECT, SHARED, Mutant

MUTANTS = [
    Mutant(
        "the last write to a cell wins",
        "_cells/racing.py",
        'published = self._values.setdefault("value", box)',
        'published = self._values["value"] = box',
        (ONE_OBJECT.format("cell"),),
    ),
    Mutant(
        "check and write of a cell are two steps",
        "_cells/racing.py",
        'published = self._values.setdefault("value", box)',
        'published = self._values.get("value") or box\n        self._values["value"] = published',
        (BETWEEN.format("cell: touch | touch"),),
    ),
    Mutant(
        "whether a call wrote is judged by the value and not by the write",
        "_cells/racing.py",
        "return published[0], published is box",
        "return published[0], published[0] is value",
        ("cells/test_racing.py::test_setting_the_same_object_twice_is_an_error_too[{}]",),
    ),
    Mutant(
        "a loser is given its own value",
        "_cells/racing.py",
        "            dispose(self._discard, value)\n",
        "            dispose(self._discard, value)\n            return value\n",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "the winner is discarded",
        "_cells/racing.py",
        "dispose(self._discard, value)\n",
        "dispose(self._discard, published)\n",
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "a loser that is the winner is discarded",
        "_cells/racing.py",
        "if published is not value and self._discard is not None:\n            dispose(",
        "if self._discard is not None:\n            dispose(",
        (SHARED.format("cell"),),
    ),
    Mutant(
        "a loser is dropped and not discarded",
        "_cells/racing.py",
        "            dispose(self._discard, value)\n",
        "            pass\n",
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "an exception from discard is swallowed",
        "_cells/discarding.py",
        "        report_unraisable(error, discard)",
        "        pass",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "an exception from discard reaches the caller",
        "_cells/discarding.py",
        "        report_unraisable(error, discard)",
        "        raise",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "a lock is held while the initializer runs",
        "_cells/racing.py",
        "value = initializer()\n",
        "import threading\n\n"
        '        with self._values.setdefault("lock", threading.RLock()):\n'
        "            value = initializer()\n",
        (NO_WAITING.format("cell"),),
        hangs=True,
    ),
    Mutant(
        "tasks wait for each other at a lock",
        "_cells/racing.py",
        "value = await initializer()\n",
        "import asyncio\n\n"
        '        async with self._values.setdefault("lock", asyncio.Lock()):\n'
        "            value = await initializer()\n",
        ("cells/test_racing.py::test_tasks_of_one_loop_share_a_value_and_never_wait_for_each_other[{}]",),
        hangs=True,
    ),
    Mutant(
        "an exception is cached",
        "_cells/racing.py",
        "value = initializer()\n",
        'if "error" in self._values:\n'
        '            raise self._values["error"][0]\n'
        "        try:\n"
        "            value = initializer()\n"
        "        except BaseException as error:\n"
        '            self._values["error"] = (error,)\n'
        "            raise\n",
        (FAILURE.format("cell"),),
    ),
    Mutant(
        "an exception is cached by an asynchronous cell",
        "_cells/racing.py",
        "value = await initializer()\n",
        'if "error" in self._values:\n'
        '            raise self._values["error"][0]\n'
        "        try:\n"
        "            value = await initializer()\n"
        "        except BaseException as error:\n"
        '            self._values["error"] = (error,)\n'
        "            raise\n",
        (FAILURE.format("async_cell"),),
    ),
    Mutant(
        "an attribute error of an initializer is swallowed",
        "_cells/racing.py",
        "value = initializer()\n",
        "try:\n            value = initializer()\n        except AttributeError:\n            value = None\n",
        (ATTRIBUTE_ERROR.format("cell"),),
    ),
    Mutant(
        "a failure is wrapped",
        "_cells/racing.py",
        "value = initializer()\n",
        "try:\n"
        "            value = initializer()\n"
        "        except Exception as error:\n"
        '            raise RuntimeError("the initializer failed") from error\n',
        (FAILURE.format("cell"),),
    ),
    Mutant(
        "None is taken for empty",
        "_cells/racing.py",
        'box = self._values.get("value")\n        return EMPTY if box is None else box[0]',
        'box = self._values.get("value")\n        return EMPTY if box is None or box[0] is None else box[0]',
        (NONE.format("cell"),),
    ),
    Mutant(
        "take() takes None for empty",
        "_cells/racing.py",
        'box = self._values.pop("value", None)\n        return EMPTY if box is None else box[0]',
        'box = self._values.pop("value", None)\n        return EMPTY if box is None or box[0] is None else box[0]',
        ("cells/test_racing.py::test_a_value_that_is_none_is_not_taken_for_empty[{}]",),
    ),
    Mutant(
        "take() leaves the value where it is",
        "_cells/racing.py",
        'self._values.pop("value", None)',
        'self._values.get("value")',
        ("cells/test_racing.py::test_of_threads_that_take_exactly_one_has_the_value[{}]",),
    ),
    Mutant(
        "take() looks first and removes then",
        "_cells/racing.py",
        'box = self._values.pop("value", None)\n',
        'box = self._values.get("value")\n        self._values.pop("value", None)\n',
        (BETWEEN.format("cell: set, take | take"),),
    ),
    Mutant(
        "set() on a full cell does nothing",
        "_cells/racing.py",
        "if not written:",
        "if False:",
        ("cells/test_racing.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "set() discards what it rejects",
        "_cells/racing.py",
        "            raise self._rejection(published, value)\n",
        "            if self._discard is not None:\n"
        "                dispose(self._discard, value)\n"
        "            raise self._rejection(published, value)\n",
        ("cells/test_racing.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "the error of set() carries the value that is there",
        "_cells/racing.py",
        "            raise self._rejection(published, value)\n",
        "            raise self._rejection(published, published)\n",
        ("cells/test_racing.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "a full cell takes anything for an initializer",
        "_cells/arguments.py",
        "    if not callable(initializer):\n",
        "    if initializer is None:\n",
        ("cells/test_racing.py::test_what_cannot_be_called_is_refused_even_by_a_full_cell[{}-3]",),
    ),
    Mutant(
        "a copy shares its place with the original",
        "_cells/racing.py",
        "    def __getstate__(self)",
        "    def __copy__(self) -> GILOnceCell:\n"
        "        copied = type(self)(discard=self._discard)\n"
        "        copied._values = self._values\n"
        "        return copied\n\n"
        "    def __getstate__(self)",
        ("cells/test_racing.py::test_copies_are_cells_of_their_own[{}]",),
    ),
    Mutant(
        "deepcopy shares the value with the original",
        "_cells/racing.py",
        "deepcopy(held, memo)",
        "held",
        ("cells/test_racing.py::test_copies_are_cells_of_their_own[{}]",),
    ),
    Mutant(
        "a pickled cell comes back empty where it held None",
        "_cells/racing.py",
        "held = () if value is EMPTY else (value,)",
        "held = () if value is EMPTY or value is None else (value,)",
        ("cells/test_racing.py::test_pickling_keeps_the_value_or_that_there_is_none[{}-2]",),
    ),
    Mutant(
        "the last of several tasks wins",
        "_cells/racing.py",
        "value = await initializer()\n",
        "value = await initializer()\n        self._clear()\n",
        ("cells/test_racing.py::test_tasks_of_one_loop_share_a_value_and_never_wait_for_each_other[{}]",),
    ),
    Mutant(
        "a loser among tasks is not discarded",
        "_cells/racing.py",
        "discarding: Any = self._discard(value)",
        "discarding: Any = None",
        (LOSERS.format("async_cell"),),
    ),
    Mutant(
        "the winner among tasks is discarded",
        "_cells/racing.py",
        "discarding: Any = self._discard(value)",
        "discarding: Any = self._discard(published)",
        (LOSERS.format("async_cell"),),
    ),
    Mutant(
        "an awaitable from discard is not awaited",
        "_cells/racing.py",
        "if must_wait:",
        "if False:",
        ("cells/test_racing.py::test_an_awaitable_from_discard_is_awaited[{}]",),
    ),
    Mutant(
        "a cancellation is swallowed while discarding",
        "_cells/racing.py",
        "await discarding\n                except Exception as error:",
        "await discarding\n                except BaseException as error:",
        ("cells/test_racing.py::test_a_cancellation_while_discarding_is_the_tasks_own[{}]",),
    ),
    Mutant(
        "a coroutine function is an initializer",
        "_cells/racing.py",
        "            check_synchronous(initializer)\n",
        "",
        (
            "cells/test_racing.py::test_a_coroutine_function_is_not_an_initializer_of_get_or_init[{}-GILOnceCell-None-function]",
        ),
    ),
    Mutant(
        "a cell that has a value looks at the initializer",
        "_cells/racing.py",
        "        value = self._load()\n        if value is EMPTY:\n            check_synchronous(initializer)\n",
        "        value = self._load()\n        if True:\n            check_synchronous(initializer)\n",
        (
            "cells/test_racing.py::test_a_coroutine_function_is_not_an_initializer_of_get_or_init[{}-GILOnceCell-None-function]",
        ),
    ),
    Mutant(
        "an initializer that was looked at runs although there is a value",
        "_cells/racing.py",
        "            # The check may run user code, in which another caller may fill the cell.\n"
        "            value = self._load()\n",
        "",
        ("cells/test_racing.py::test_a_value_that_comes_while_the_initializer_is_looked_at_is_the_value[{}]",),
    ),
    Mutant(
        "help() names a class that does not exist",
        "_cells/arguments.py",
        "    __init__.__module__ = init.__module__\n",
        "",
        ("test_package.py::test_help_names_classes_that_exist[{}-OnceLock]",),
    ),
    Mutant(
        "a value given to a new cell gets a bare error",
        "_cells/arguments.py",
        "    if values:\n        value = values[0]",
        "    if False:\n        value = values[0]",
        ("cells/test_racing.py::test_a_value_given_to_a_new_cell_is_answered_with_set[{}-GILOnceCell]",),
    ),
    Mutant(
        "a lock advises no timeout for a number",
        "_cells/arguments.py",
        'if "timeout" in taken and type(value) in (int, float) else ""',
        'if False else ""',
        ("cells/test_racing.py::test_a_value_given_to_a_new_cell_is_answered_with_set[{}-OnceLock]",),
    ),
    Mutant(
        "a discard for a lock gets a bare error",
        "_cells/arguments.py",
        'if "discard" in options and "discard" not in taken:',
        "if False:",
        ("cells/test_racing.py::test_an_option_that_only_another_cell_has_is_answered_with_that_cell[{}-OnceLock]",),
    ),
    Mutant(
        "a timeout for a cell that never waits gets a bare error",
        "_cells/arguments.py",
        'if "timeout" in options and "timeout" not in taken:',
        "if False:",
        ("cells/test_racing.py::test_an_option_that_only_another_cell_has_is_answered_with_that_cell[{}-GILOnceCell]",),
    ),
    Mutant(
        "a copy of a function's cell is that function's",
        "_cells/racing.py",
        "        return GILOnceCell, (), self._state()",
        "        return type(self), (self._function, None), self._state()",
        ("surfaces/test_once_cell.py::test_the_cell_of_a_function_is_named_in_its_errors[{}-None]",),
    ),
    Mutant(
        "a full cell runs an initializer that is a class",
        "_cells/racing.py",
        "return self._fill(initializer) if value is EMPTY else value",
        "return self._fill(initializer) if value is EMPTY or isinstance(initializer, type) else value",
        ("cells/test_racing.py::test_a_full_cell_runs_no_initializer_of_any_kind[{}-class-None]",),
    ),
    Mutant(
        "a full cell runs an initializer that is written in C",
        "_cells/racing.py",
        "return self._fill(initializer) if value is EMPTY else value",
        "return self._fill(initializer) if value is EMPTY or not hasattr(initializer, '__dict__') else value",
        ("cells/test_racing.py::test_a_full_cell_runs_no_initializer_of_any_kind[{}-method in C-None]",),
    ),
    Mutant(
        "what an asynchronous discard raises reaches the loser",
        "_cells/racing.py",
        "await discarding\n                except Exception as error:",
        "await discarding\n                except ValueError as error:",
        ("cells/test_racing.py::test_a_failing_asynchronous_discard_is_unraisable[{}-RuntimeError]",),
    ),
    Mutant(
        "what ends the program in the hook for what cannot be raised reaches the caller",
        "_cells/discarding.py",
        "except BaseException as failure:",
        "except Exception as failure:",
        ("cells/test_racing.py::test_a_hook_that_fails_is_reported_by_the_default_hook[{}-SystemExit]",),
    ),
    Mutant(
        "a submodule is looked for by the name that its package was asked for by",
        "_cells/racing.py",
        'sys.modules.get(f"{imported.__name__}.{attr}", missing)',
        'sys.modules.get(f"{module}.{attr}", missing)',
        ("cells/test_racing.py::test_a_submodule_is_found_by_the_name_that_its_package_goes_by[{}]",),
    ),
]
