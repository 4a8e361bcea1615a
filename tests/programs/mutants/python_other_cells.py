"""Mistakes in the other cells but `OnceLock`, and in what lets the surfaces take them."""

from __future__ import annotations

from mutant import BETWEEN, FORK, Mutant

LOCK = "cells/test_exclusive.py::test_"
CELL_OPTION = "storage/test_cell_option"
THREAD = "cells/test_per_thread.py::test_"
LOOP = "cells/test_per_loop.py::test_"
ASKED = "surfaces/test_once_property_that_asks.py::test_"
PROCESS = "cells/test_per_process.py::test_"
KEPT = "cells/test_per_process_finalizers.py::test_"
FORKS = "cells/test_per_process_forks.py::test_"
COPIES = CELL_OPTION + "_owners.py::test_copies_of_an_instance_share_nothing_with_it[{}-%s]"
CODE_THAT_MAKES = (
    CELL_OPTION + ".py::test_a_cell_in_place_of_its_maker_is_answered_with_code_that_makes_such_cells[{}-once]"
)
REFUSED = CELL_OPTION + ".py::test_what_makes_no_cell_is_refused[{}-once]"

#: `_storage/cell_option.py`, and where the surfaces ask it.
CHOICE = [
    Mutant(
        "what makes no cell must have a name",
        "_storage/cell_option.py",
        "takes a callable that makes a cell, and {make!r} makes a ",
        "takes a callable that makes a cell, and {make.__name__} makes a ",
        ("cells/test_callables.py::test_a_partial_that_makes_no_cell_is_shown[{}]",),
    ),
    Mutant(
        "a copy of a bound cell is not of the chosen class",
        "_storage/cell_option.py",
        "    def make_cell(self) -> Any:\n        return self.make()\n\n",
        "",
        (CELL_OPTION + ".py::test_what_a_bound_cell_looks_like_and_is_copied_to_is_the_cell_that_was_chosen[{}]",),
    ),
    Mutant(
        "the cell in an instance is not told by its owner",
        "_storage/cell_option.py",
        "        if type(entry) is CellEntry and entry.is_of(instance, namespace):\n",
        "        if type(entry) is CellEntry:\n",
        (COPIES % "ThreadOnceCell", COPIES % "one's own"),
    ),
    Mutant(
        "the cell in an instance is pickled",
        "_storage/cell_option.py",
        "        return type(None), ()",
        "        return CellEntry, (self.cell, self)",
        (COPIES % "one's own", COPIES % "ThreadOnceCell"),
    ),
    Mutant(
        "threads that make the cell of an instance at once have each their own",
        "_storage/entries.py",
        "        candidate = candidates.setdefault(place, candidate)\n",
        "        pass\n",
        (BETWEEN.format("once_method with ProcessOnceCell: touch | touch"),),
    ),
    Mutant(
        "the candidate for the cell of an instance is never dropped",
        "_storage/entries.py",
        "        candidates.pop(place, None)\n",
        "        pass\n",
        (CELL_OPTION + "_owners.py::test_neither_instance_nor_class_is_kept_alive[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "a cell behind an attribute keeps what was deleted",
        "_storage/cell_option.py",
        "            cell.take()\n        return cell",
        "            pass\n        return cell",
        (CELL_OPTION + "_properties.py::test_an_attribute_can_be_deleted_and_assigned[{}-one's own-attribute]",),
        hangs=True,
    ),
    Mutant(
        "a copy takes over the cell of an instance that is gone",
        "_storage/entries.py",
        "    return original is owner or (",
        "    return original is owner or original is None or (",
        (
            CELL_OPTION
            + "_owners.py::test_a_copys_copy_does_not_take_over_the_cell_of_one_that_is_gone[{}-ThreadOnceCell]",
        ),
    ),
    Mutant(
        "instances that share their attributes have each a cell",
        "_storage/entries.py",
        "return namespace if type(namespace) is dict else owner",
        "return owner",
        (
            CELL_OPTION + "_owners.py::test_instances_that_share_a_dict_share_the_cell_in_it[{}-ThreadOnceCell]",
            CELL_OPTION + "_owners.py::test_instances_that_share_a_dict_initialize_its_value_once[{}-method]",
        ),
    ),
    Mutant(
        "Ctrl-C while a cell is stored in an instance leaves the candidate",
        "_storage/entries.py",
        "        _store(candidates, place, namespace, key, candidate)\n    return stored\n",
        "        pass\n    return stored\n",
        (CELL_OPTION + "_owners.py::test_an_interrupt_while_a_cell_is_stored_in_an_instance_leaves_no_candidate[{}]",),
    ),
    Mutant(
        "a class is given a cell by each thread",
        "_storage/cell_option.py",
        "values.setdefault(self.cell_key, self.make())",
        "values.__setitem__(self.cell_key, self.make()) or values[self.cell_key]",
        (BETWEEN.format("once_above_classmethod with ProcessOnceCell: touch | touch"),),
    ),
    Mutant(
        "the cell behind an attribute keeps its value",
        "_storage/cell_option.py",
        "            computed.append(compute())\n            return StoredElsewhere\n",
        "            computed.append(compute())\n            return computed[0]\n",
        (CELL_OPTION + "_owners.py::test_what_was_deleted_or_taken_is_kept_by_nothing[{}-one's own]",),
    ),
    Mutant(
        "what set has refused is discarded",
        "_cells/exclusive.py",
        "self._run_exclusively(give, give)",
        "self._fill(give)",
        also=(("            return published\n\n        # The", "            return value\n\n        # The"),),
        tests=(BETWEEN.format("once_method with UserCell: set | set"),),
    ),
    Mutant(
        "who is let in next does not look at the attribute",
        "_cells/exclusive.py",
        "        return GILOnceCell._fill(self, initializer) if value is EMPTY else value",
        "        return GILOnceCell._fill(self, initializer)",
        (CELL_OPTION + "_properties.py::test_an_attribute_is_published_before_its_cell_lets_the_next_one_in[{}]",),
    ),
    Mutant(
        "a cell that is not final is taken for final",
        "_storage/cell_option.py",
        "name_cell(make(), function), made.final, advice, discard)",
        "name_cell(make(), function), True, advice, discard)",
        (CELL_OPTION + ".py::test_methods_keep_a_value_per_thread[{}]",),
    ),
    Mutant(
        "a property with a cell that is not final takes a slot",
        "_surfaces/slots.py",
        "        if slot is not None and not is_final:\n",
        "        if slot is not None and slot is None:\n",
        (ASKED + "a_slot_is_refused_with_advice[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "a property keeps the value of a cell that is not final",
        "_surfaces/slots.py",
        "        is_final = bool(made.final)\n",
        "        is_final = True\n",
        (ASKED + "each_thread_reads_a_value_of_its_own[{}-attribute]",),
    ),
    Mutant(
        "assigning gives up if another value came in between",
        "_surfaces/property_cases.py",
        "            except AlreadySetError:\n",
        "            except ValueError:\n",
        (ASKED + "assigning_wins_over_a_value_that_is_published_meanwhile[{}]",),
    ),
    Mutant(
        "what monkeypatch has read of a property that asks is assigned as it is",
        "_surfaces/awaitable_value.py",
        "        return self._cell is cell or (",
        "        return (",
        (ASKED + "monkeypatch_restores_an_async_attribute[{}-True]",),
    ),
    Mutant(
        "an async property asks a cell outside its event loop",
        "_surfaces/awaitable_value.py",
        "        self.when_read = cell.get(EMPTY) if cell.is_set() else EMPTY\n",
        "        self.when_read = cell.get(EMPTY)\n",
        (ASKED + "an_async_attribute_can_be_read_outside_the_event_loop_that_awaits_it[{}]",),
    ),
    Mutant(
        "what lacks final is taken for a cell",
        "_storage/cell_option.py",
        '"set", "take", "final")',
        '"set", "take")',
        (REFUSED,),
    ),
    Mutant(
        "discard is taken together with a cell",
        "_storage/cell_option.py",
        "    if discard is not None:\n        raise TypeError(",
        "    if discard is None and make is None:\n        raise TypeError(",
        (REFUSED,),
    ),
    Mutant(
        "advice about a cell forgets its timeout",
        "_storage/cell_option.py",
        "    if timeout is not None:\n",
        "    if timeout is None:\n",
        (CODE_THAT_MAKES,),
    ),
    Mutant(
        "advice about a cell forgets its discard",
        "_storage/cell_option.py",
        "    if discard is not None:\n        shown",
        "    if False:\n        shown",
        (CODE_THAT_MAKES,),
    ),
    Mutant(
        "advice about a cell names what a program cannot",
        "_storage/cell_option.py",
        "{shown if shown.replace('.', '').isidentifier() else '...'}",
        "{shown}",
        (CODE_THAT_MAKES,),
    ),
    Mutant(
        "the cell of a thread has no name",
        "_cells/split.py",
        "super().__init__(split._function, split._discard)",
        "super().__init__(None, split._discard)",
        ("surfaces/test_once_cell.py::test_the_cell_of_a_function_is_named_in_its_errors[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "a lock forgets its timeout where it belongs to an instance",
        "_storage/cell_option.py",
        "timeout: float | None = self._definition.timeout\n",
        "timeout: float | None = None\n",
        (LOCK + "who_has_waited_too_long_is_told_and_the_cell_is_untouched[{}-once_method]",),
        hangs=True,
    ),
    Mutant(
        "the instances of a class are initialized one at a time",
        "_storage/cell_option.py",
        "return self._definition.attempts, id(identity), identity",
        "return self._definition.attempts, 0, identity",
        (LOCK + "initializers_of_two_instances_do_not_wait_for_each_other[{}]",),
        hangs=True,
    ),
]

#: `_cells/split.py` and `_cells/per_thread.py`.
PER_THREAD = [
    Mutant(
        "a deep copy of a cell per thread does not know itself",
        "_cells/split.py",
        "copied = memo[id(self)] = self._new()",
        "copied = self._new()",
        (THREAD + "a_deep_copy_of_a_cell_that_refers_to_itself_refers_to_the_copy[{}]",),
    ),
    Mutant(
        "threads share a value",
        "_cells/per_thread.py",
        "        cells = _Cells()\n",
        "        cells: Any = type('Shared', (), {})()\n",
        (THREAD + "each_thread_has_a_value_of_its_own[cell-{}]",),
    ),
    Mutant(
        "the value of a thread outlives it",
        "_cells/per_thread.py",
        "        here: dict[str, GILOnceCell] = cells.__dict__\n",
        "        here: dict[str, GILOnceCell] = cells.__dict__\n        here.setdefault('kept', _KEPT).append(here)\n",
        (THREAD + "a_value_is_freed_when_its_thread_ends[{}-cell]",),
        also=(("class _Cells(", "_KEPT: list[Any] = []\n\n\nclass _Cells("),),
    ),
    Mutant(
        "a loser within a thread is not discarded",
        "_cells/split.py",
        "super().__init__(split._function, split._discard)",
        "super().__init__(split._function, None)",
        (THREAD + "tasks_of_one_thread_share_a_value[{}]",),
    ),
    Mutant(
        "a coroutine gives the value of the thread that made it",
        "_cells/split.py",
        "    async def aget_or_init",
        "    def aget_or_init(self, initializer: Any, /) -> Any:\n"
        "        return self._mine().aget_or_init(initializer)\n\n"
        "    async def _unused",
        (THREAD + "a_coroutine_gives_the_value_of_the_thread_that_awaits_it[{}]",),
    ),
    Mutant(
        "a copy of a cell per thread is empty",
        "_cells/split.py",
        "            copied.set(value)\n",
        "            pass\n",
        (THREAD + "copies_have_this_threads_value_and_pickles_none[{}]",),
    ),
]

#: `_cells/per_loop.py` and `_cells/event_loops.py`.
PER_LOOP = [
    Mutant(
        "event loops share a value",
        "_cells/per_loop.py",
        "        loop = running_loop()\n        if loop is None:\n",
        "        loop = _Loop\n        if loop is None:\n",
        (LOOP + "each_event_loop_has_a_value_of_its_own[cell-{}]",),
    ),
    Mutant(
        "the value of a loop that was freed stays",
        "_cells/per_loop.py",
        "    known = _loops.get(reference)\n    if known is not None:\n",
        "    known = _loops.get(reference)\n    if known is None:\n",
        (LOOP + "a_value_is_freed_with_its_event_loop[cell-{}]",),
    ),
    Mutant(
        "a value that refers to its closed event loop stays",
        "_cells/per_loop.py",
        "        return is_closed(self.loop())",
        "        return False",
        (LOOP + "a_value_that_refers_to_its_closed_event_loop_is_freed_at_the_next_use[cell-{}]",),
    ),
    Mutant(
        "the first use in an event loop does not look for one that is closed",
        "_cells/per_loop.py",
        "        if known is None or len(_loops) > 1:\n",
        "        if len(_loops) > 1:\n",
        (LOOP + "a_value_that_refers_to_its_closed_event_loop_is_freed_at_the_next_use[cell-{}]",),
    ),
    Mutant(
        "only the first use in an event loop looks for one that is closed",
        "_cells/per_loop.py",
        "        if known is None or len(_loops) > 1:\n",
        "        if known is None:\n",
        (LOOP + "the_next_use_of_another_cell_in_an_event_loop_that_is_in_use_is_enough[{}]",),
    ),
    Mutant(
        "an event loop keeps the cells that were used in it alive",
        "_cells/per_loop.py",
        "ref(cells, partial(self.holders.pop, key))",
        "lambda: cells  # type: ignore[assignment]",
        (LOOP + "a_value_is_freed_with_its_cell_while_the_event_loop_runs[{}]",),
    ),
    Mutant(
        "a run of trio does not end",
        "_cells/per_loop.py",
        "        if known is made and is_in_trio():\n",
        "        if known is made and not is_in_trio():\n",
        (LOOP + "a_run_of_trio_has_a_value_that_is_dropped_at_its_end[{}]",),
    ),
    Mutant(
        "trio goes before a task of asyncio",
        "_cells/event_loops.py",
        ' and _ask("asyncio", "current_task") is None',
        "",
        (LOOP + "a_task_of_asyncio_counts_where_both_libraries_run_in_a_thread[{}]",),
    ),
    Mutant(
        "an override holds in event loops that are known",
        "_cells/split.py",
        "        if cells.value is not EMPTY:\n",
        "        if cells.value is EMPTY is not EMPTY:\n",
        (LOOP + "an_override_holds_in_every_event_loop[{}]",),
    ),
    Mutant(
        "an override of every event loop discards its value",
        "_cells/split.py",
        " and (cells.value is EMPTY or cell.get(EMPTY) is not cells.value)",
        "",
        (LOOP + "a_value_that_replaced_that_of_an_override_is_discarded[{}]",),
    ),
    Mutant(
        "the cell of an instance has no name",
        "_storage/cell_option.py",
        "lambda: name_cell(make(), function)",
        "make",
        (
            LOOP + "outside_an_event_loop_an_error_names_the_cell_and_says_what_to_do[{}-"
            "the cell of outside.<locals>.Owner.client()]",
        ),
    ),
    Mutant(
        "the cell of a lazy global has no name",
        "_surfaces/lazy_global.py",
        'name_cell(make_checked_cell(cell, discard, "lazy_global"), factory)',
        'make_checked_cell(cell, discard, "lazy_global")',
        (
            LOOP + "outside_an_event_loop_an_error_names_the_cell_and_says_what_to_do[{}-"
            "the cell of outside.<locals>.make_client()]",
        ),
    ),
]

#: `_cells/per_process.py`.
PER_PROCESS = [
    Mutant(
        "a forked child has the parent's value",
        "_cells/per_process.py",
        "in_child.append(_empty_all)",
        "",
        (FORKS + "every_method_finds_an_empty_cell_in_a_child[{}]",),
        needs=FORK,
    ),
    Mutant(
        "what a child inherits is dropped there",
        "_cells/per_process.py",
        "            keep_for_ever(value)\n",
        "            pass\n",
        (KEPT + "what_a_child_inherits_is_finalized_in_the_parent_alone[{}-sys.exit]",),
        needs=FORK,
    ),
    Mutant(
        "what a child inherits is lost by an interrupt",
        "_cells/per_process.py",
        "        for value in values:\n",
        "        cell._clear()\n        for value in values:\n",
        (KEPT + "an_interrupt_does_not_keep_a_child_from_emptying_its_cells[{}]",),
    ),
    Mutant(
        "what belongs to what a child inherits is finalized there",
        "_cells/per_process.py",
        "map(id, _reachable(_inherited))",
        "map(id, _inherited)",
        (KEPT + "what_belongs_to_what_is_kept_is_not_finalized_either[{}]",),
    ),
    Mutant(
        "only one finalizer of an inherited object learns that it is kept",
        "_cells/per_process.py",
        "                finalizer.atexit = False\n",
        "                finalizer.atexit = False\n                break\n",
        (KEPT + "what_belongs_to_what_is_kept_is_not_finalized_either[{}]",),
    ),
    Mutant(
        "a child finalizes nothing that it inherits",
        "_cells/per_process.py",
        " and not issubclass(type(referent), _OF_THE_PROGRAM)",
        "",
        (KEPT + "what_belongs_to_what_is_kept_is_not_finalized_either[{}]",),
    ),
    Mutant(
        "a copy that is still being made is not emptied in a child",
        "_cells/per_process.py",
        "        _enter(self)\n        super().__setstate__(state)\n",
        "        super().__setstate__(state)\n        _enter(self)\n",
        (PROCESS + "a_fork_while_a_copy_is_made_leaves_it_empty_in_the_child[{}]",),
    ),
    Mutant(
        "there is a hook for each cell",
        "_cells/per_process.py",
        "        super().__init__(discard=discard)\n",
        "        super().__init__(discard=discard)\n"
        "        import os\n\n"
        "        os.register_at_fork(after_in_child=self._clear)\n",
        (PROCESS + "the_package_registers_one_hook_however_many_cells_there_are[{}]",),
        needs=FORK,
    ),
    Mutant(
        "a cell per process is pickled with its value",
        "_cells/per_process.py",
        "        discard, _, attributes = self._state()\n        return discard, (), attributes",
        "        return self._state()",
        (PROCESS + "copies_have_the_value_and_pickles_have_not[{}]",),
    ),
]

#: `_cells/fork.py`. Its hooks are called by hand: those that run in a child are seen there, in `PER_PROCESS`.
HOOKS = [
    Mutant(
        "nothing is held while forking",
        "_cells/fork.py",
        "    for function in before:\n        function()\n",
        "    pass\n",
        (KEPT + "a_cell_made_while_another_thread_is_forking_is_held_too[{}]",),
    ),
    Mutant(
        "what was held while forking is never let go",
        "_cells/fork.py",
        "    for function in in_parent:\n        function()\n",
        "    pass\n",
        (KEPT + "a_cell_made_while_another_thread_is_forking_is_held_too[{}]",),
    ),
    Mutant(
        "a child does not finish what was interrupted",
        "_cells/fork.py",
        "            function()\n            report_unraisable",
        "            report_unraisable",
        (KEPT + "an_interrupt_does_not_keep_a_child_from_emptying_its_cells[{}]",),
    ),
    Mutant(
        "an interrupt in a child goes unreported",
        "_cells/fork.py",
        "            report_unraisable(error, function)\n",
        "",
        (KEPT + "an_interrupt_does_not_keep_a_child_from_emptying_its_cells[{}]",),
    ),
    Mutant(
        "the interpreter is not told what to do in a child",
        "_cells/fork.py",
        ", after_in_child=_after_fork_in_child",
        "",
        (FORKS + "every_method_finds_an_empty_cell_in_a_child[{}]",),
        needs=FORK,
    ),
    Mutant(
        "the interpreter is not told what to do in the parent",
        "_cells/fork.py",
        ", after_in_parent=_after_fork_in_parent",
        "",
        (KEPT + "a_fork_holds_no_cell_longer_than_it_takes[{}]",),
        needs=FORK,
    ),
    Mutant(
        "the interpreter is not told what to do before a fork",
        "_cells/fork.py",
        "_register(before=_before_fork, ",
        "_register(",
        (KEPT + "what_a_child_inherits_is_finalized_in_the_parent_alone[{}-sys.exit]",),
        needs=FORK,
    ),
]

#: `_surfaces/asking_proxy.py`.
ASKING = [
    Mutant(
        "a proxy in Python is iterable whatever it stands for",
        "_surfaces/proxy.py",
        '"__iter__": not is_native,',
        '"__iter__": False,',
        (CELL_OPTION + "_lazy_globals.py::test_a_proxy_is_iterable_only_where_the_real_object_is[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "the interface that a proxy which asks was given is overlooked",
        "_surfaces/asking_proxy.py",
        "declared = implied_interface(factory) if interface is None else interface",
        "declared = implied_interface(factory)",
        (
            CELL_OPTION
            + "_lazy_globals.py::test_a_proxy_that_asks_does_everything_as_the_real_object[{}-ThreadOnceCell]",
        ),
    ),
    Mutant(
        "a proxy that asks keeps what it was given",
        "_surfaces/asking_proxy.py",
        "    __wrapped_get__ = ask\n",
        "    __wrapped_get__ = lambda self, kept={}: kept.setdefault(id(self), ask(self))\n",
        (CELL_OPTION + "_lazy_globals.py::test_a_proxy_that_asks_gives_each_thread_its_own[{}]",),
    ),
]

MUTANTS = [*HOOKS, *CHOICE, *PER_THREAD, *PER_LOOP, *PER_PROCESS, *ASKING]
