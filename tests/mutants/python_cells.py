"""Mistakes in the other cells but `OnceLock`, and in what lets the surfaces take them."""

from __future__ import annotations

from mutant import BETWEEN, FORK, Mutant

LOCK = "test_lock.py::test_"
CHOSEN = "test_chosen.py::test_"
THREAD = "test_per_thread.py::test_"
PROCESS = "test_per_process.py::test_"
KEPT = "test_per_process_kept.py::test_"
FORKS = "test_per_process_forks.py::test_"
COPIES = CHOSEN + "copies_of_an_instance_share_nothing_with_it[{}-%s]"
REFUSED = CHOSEN + "what_makes_no_cell_is_refused[{}-once]"

#: `_chosen.py`, and where the surfaces ask it.
CHOICE = [
    Mutant(
        "what makes no cell must have a name",
        "_chosen.py",
        "takes a callable that makes a cell, and {make!r} makes a ",
        "takes a callable that makes a cell, and {make.__name__} makes a ",
        ("test_callables.py::test_a_partial_that_makes_no_cell_is_shown[{}]",),
    ),
    Mutant(
        "the cell in an instance is not told by its owner",
        "_chosen.py",
        "        if type(kept) is Kept and kept.is_of(identity):\n            return kept.cell\n",
        "        if type(kept) is Kept:\n            return kept.cell\n",
        (COPIES % "ThreadOnceCell", COPIES % "one's own"),
    ),
    Mutant(
        "the cell in an instance is pickled",
        "_chosen.py",
        "        return type(None), ()",
        "        return Kept, (self.cell, self)",
        (COPIES % "one's own", COPIES % "ThreadOnceCell"),
    ),
    Mutant(
        "threads that make the cell of an instance at once have each their own",
        "_chosen.py",
        "            claim = self.new.setdefault(key, claim)\n",
        "            pass\n",
        (BETWEEN.format("method_with_kept_cell: touch | touch"),),
    ),
    Mutant(
        "the claim on an instance is never dropped",
        "_chosen.py",
        "            self.new.pop(id(identity), None)\n",
        "            pass\n",
        (CHOSEN + "neither_instance_nor_class_is_kept_alive[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "a cell behind an attribute keeps what was deleted",
        "_chosen.py",
        "            cell.take()\n        return cell",
        "            pass\n        return cell",
        (CHOSEN + "an_attribute_can_be_deleted_and_assigned[{}-one's own-attribute]",),
        hangs=True,
    ),
    Mutant(
        "the cell in an instance is told by an id that may be another's",
        "_chosen.py",
        "self._id == id(identity) and (self._owner is None or self._owner() is not None)",
        "self._id == id(identity)",
        (CHOSEN + "a_copys_copy_does_not_take_over_the_cell_of_one_that_is_gone[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "instances that share their attributes have each a cell",
        "_chosen.py",
        "return namespace if type(namespace) is dict else owner",
        "return owner",
        (
            CHOSEN + "instances_that_share_a_dict_share_the_cell_in_it[{}-ThreadOnceCell]",
            CHOSEN + "instances_that_share_a_dict_initialize_its_value_once[{}-method]",
        ),
    ),
    Mutant(
        "Ctrl-C while a cell is put into an instance leaves the claim",
        "_chosen.py",
        "            self._settle(namespace, identity, claim)\n        return kept.cell\n",
        "            pass\n        return kept.cell\n",
        (CHOSEN + "an_interrupt_while_a_cell_is_put_into_an_instance_leaves_no_claim[{}]",),
    ),
    Mutant(
        "a class is given a cell by each thread",
        "_chosen.py",
        "values.setdefault(self.kept_key, self.make())",
        "values.__setitem__(self.kept_key, self.make()) or values[self.kept_key]",
        (BETWEEN.format("class_with_kept_cell: touch | touch"),),
    ),
    Mutant(
        "the cell behind an attribute keeps its value",
        "_chosen.py",
        "            computed.append(compute())\n            return Done\n",
        "            computed.append(compute())\n            return computed[0]\n",
        (CHOSEN + "what_was_deleted_or_taken_is_kept_by_nothing[{}-one's own]",),
    ),
    Mutant(
        "what set has refused is discarded",
        "_lock.py",
        "self._in_turn(give, give)",
        "self._fill(give)",
        also=(("            return published\n\n        # For", "            return value\n\n        # For"),),
        tests=(BETWEEN.format("method_with_guard: set | set"),),
    ),
    Mutant(
        "who is let in next does not look at the attribute",
        "_lock.py",
        "        return GILOnceCell._fill(self, initializer) if value is EMPTY else value",
        "        return GILOnceCell._fill(self, initializer)",
        (CHOSEN + "an_attribute_is_published_before_its_cell_lets_the_next_one_in[{}]",),
    ),
    Mutant(
        "a cell that is not final is taken for final",
        "_chosen.py",
        "return KeptDefinition(function, make, made.final, advice, discard)",
        "return KeptDefinition(function, make, True, advice, discard)",
        (CHOSEN + "methods_keep_a_value_per_thread[{}]",),
    ),
    Mutant(
        "a property takes a cell that is not final",
        "_chosen.py",
        "    if not made.final:\n",
        "    if made is None:\n",
        (CHOSEN + "a_property_takes_only_cells_that_are_final[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "what lacks final is taken for a cell",
        "_chosen.py",
        '"set", "take", "final")',
        '"set", "take")',
        (REFUSED,),
    ),
    Mutant(
        "discard is taken together with a cell",
        "_chosen.py",
        "    if discard is not None:\n",
        "    if discard is None and make is None:\n",
        (REFUSED,),
    ),
    Mutant(
        "a lock forgets its timeout where it belongs to an instance",
        "_chosen.py",
        "timeout: float | None = self._definition.timeout\n",
        "timeout: float | None = None\n",
        (LOCK + "who_has_waited_too_long_is_told_and_the_cell_is_untouched[{}-once_method]",),
        hangs=True,
    ),
    Mutant(
        "the instances of a class are initialized one at a time",
        "_chosen.py",
        "return self._definition.attempts, id(self._of), self._of",
        "return self._definition.attempts, 0, self._of",
        (LOCK + "initializers_of_two_instances_do_not_wait_for_each_other[{}]",),
        hangs=True,
    ),
]

#: `_per_thread.py`.
PER_THREAD = [
    Mutant(
        "a deep copy of a cell per thread does not know itself",
        "_per_thread.py",
        "copied = memo[id(self)] = self._new()",
        "copied = self._new()",
        (THREAD + "a_deep_copy_of_a_cell_that_refers_to_itself_refers_to_the_copy[{}]",),
    ),
    Mutant(
        "threads share a value",
        "_per_thread.py",
        "self._threads = _local()",
        "self._threads = type('Shared', (), {})()",
        (THREAD + "each_thread_has_a_value_of_its_own[cell-{}]",),
    ),
    Mutant(
        "the value of a thread outlives it",
        "_per_thread.py",
        "        here: dict[str, GILOnceCell] = self._threads.__dict__\n",
        "        import threading\n\n"
        "        self._threads.__dict__.setdefault('kept', _KEPT).append(self._threads.__dict__)\n"
        "        here: dict[str, GILOnceCell] = self._threads.__dict__\n",
        (THREAD + "a_value_is_freed_when_its_thread_ends[{}-cell]",),
        also=(("def _empty(", "_KEPT: list[Any] = []\n\n\ndef _empty("),),
    ),
    Mutant(
        "a loser within a thread is not discarded",
        "_per_thread.py",
        "GILOnceCell(discard=self._discard))",
        "GILOnceCell())",
        (THREAD + "tasks_of_one_thread_share_a_value[{}]",),
    ),
    Mutant(
        "a coroutine gives the value of the thread that made it",
        "_per_thread.py",
        "    async def aget_or_init",
        "    def aget_or_init(self, initializer: Any, /) -> Any:\n"
        "        return self._mine().aget_or_init(initializer)\n\n"
        "    async def _unused",
        (THREAD + "a_coroutine_gives_the_value_of_the_thread_that_awaits_it[{}]",),
    ),
    Mutant(
        "a copy of a cell per thread is empty",
        "_per_thread.py",
        "            copied.set(value)\n",
        "            pass\n",
        (THREAD + "copies_have_this_threads_value_and_pickles_none[{}]",),
    ),
]

#: `_per_process.py`.
PER_PROCESS = [
    Mutant(
        "a forked child has the parent's value",
        "_per_process.py",
        "in_child.append(_empty_all)",
        "",
        (FORKS + "every_method_finds_an_empty_cell_in_a_child[{}]",),
        needs=FORK,
    ),
    Mutant(
        "what a child inherits is dropped there",
        "_per_process.py",
        "            keep_for_ever(value)\n",
        "            pass\n",
        (KEPT + "what_a_child_inherits_is_finalized_in_the_parent_alone[{}-sys.exit]",),
        needs=FORK,
    ),
    Mutant(
        "what a child inherits is lost by an interrupt",
        "_per_process.py",
        "            keep_for_ever(value)\n            _inherited.append(value)\n            cell._clear()\n",
        "            cell._clear()\n            keep_for_ever(value)\n            _inherited.append(value)\n",
        (KEPT + "an_interrupt_does_not_keep_a_child_from_emptying_its_cells[{}]",),
    ),
    Mutant(
        "what belongs to what a child inherits is finalized there",
        "_per_process.py",
        "map(id, _reachable(_inherited))",
        "map(id, _inherited)",
        (KEPT + "what_belongs_to_what_is_kept_is_not_finalized_either[{}]",),
    ),
    Mutant(
        "of what a child inherits one finalizer is told, and no more",
        "_per_process.py",
        "                finalizer.atexit = False\n",
        "                finalizer.atexit = False\n                break\n",
        (KEPT + "what_belongs_to_what_is_kept_is_not_finalized_either[{}]",),
    ),
    Mutant(
        "a child finalizes nothing that it inherits",
        "_per_process.py",
        " and not issubclass(type(referent), _OF_THE_PROGRAM)",
        "",
        (KEPT + "what_belongs_to_what_is_kept_is_not_finalized_either[{}]",),
    ),
    Mutant(
        "a copy that is still being made is not emptied in a child",
        "_per_process.py",
        "        _enter(self)\n        super().__setstate__(state)\n",
        "        super().__setstate__(state)\n        _enter(self)\n",
        (PROCESS + "a_fork_while_a_copy_is_made_leaves_it_empty_in_the_child[{}]",),
    ),
    Mutant(
        "there is a hook for each cell",
        "_per_process.py",
        "        super().__init__(discard=discard)\n",
        "        super().__init__(discard=discard)\n"
        "        import os\n\n"
        "        os.register_at_fork(after_in_child=self._clear)\n",
        (PROCESS + "the_package_registers_one_hook_however_many_cells_there_are[{}]",),
        needs=FORK,
    ),
    Mutant(
        "a cell per process is pickled with its value",
        "_per_process.py",
        "        discard, _, attributes = self._state()\n        return discard, (), attributes",
        "        return self._state()",
        (PROCESS + "copies_have_the_value_and_pickles_have_not[{}]",),
    ),
]

#: `_fork.py`. Its hooks are called by hand: those that run in a child are seen there, in `PER_PROCESS`.
HOOKS = [
    Mutant(
        "nothing is held while forking",
        "_fork.py",
        "    for function in before:\n        function()\n",
        "",
        (KEPT + "a_cell_made_while_another_thread_is_forking_is_held_too[{}]",),
    ),
    Mutant(
        "what was held while forking is never let go",
        "_fork.py",
        "    for function in in_parent:\n        function()\n",
        "",
        (KEPT + "a_cell_made_while_another_thread_is_forking_is_held_too[{}]",),
    ),
    Mutant(
        "a child does not finish what was interrupted",
        "_fork.py",
        "            function()\n            report_unraisable",
        "            report_unraisable",
        (KEPT + "an_interrupt_does_not_keep_a_child_from_emptying_its_cells[{}]",),
    ),
    Mutant(
        "an interrupt in a child goes unreported",
        "_fork.py",
        "            report_unraisable(error, function)\n",
        "",
        (KEPT + "an_interrupt_does_not_keep_a_child_from_emptying_its_cells[{}]",),
    ),
    Mutant(
        "the interpreter is not told what to do in a child",
        "_fork.py",
        ", after_in_child=_after_fork_in_child",
        "",
        (FORKS + "every_method_finds_an_empty_cell_in_a_child[{}]",),
        needs=FORK,
    ),
    Mutant(
        "the interpreter is not told what to do in the parent",
        "_fork.py",
        ", after_in_parent=_after_fork_in_parent",
        "",
        (KEPT + "a_fork_holds_no_cell_longer_than_it_takes[{}]",),
        needs=FORK,
    ),
    Mutant(
        "the interpreter is not told what to do before a fork",
        "_fork.py",
        "_register(before=_before_fork, ",
        "_register(",
        (KEPT + "what_a_child_inherits_is_finalized_in_the_parent_alone[{}-sys.exit]",),
        needs=FORK,
    ),
]

#: `_asking.py`.
ASKING = [
    Mutant(
        "a proxy in Python is iterable whatever it stands for",
        "_proxy.py",
        'entries.setdefault("__iter__", None)',
        "pass",
        (CHOSEN + "a_proxy_is_iterable_only_where_the_real_object_is[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "the interface that a proxy which asks was given is overlooked",
        "_asking.py",
        "    if interface is None:\n        interface = implied_interface(factory)\n",
        "    interface = implied_interface(factory)\n",
        (CHOSEN + "a_proxy_that_asks_does_everything_as_the_real_object[{}-ThreadOnceCell]",),
    ),
    Mutant(
        "a proxy that asks keeps what it was given",
        "_asking.py",
        "    __wrapped__ = property(ask)\n",
        "    __wrapped__ = property(lambda self: self.__dict__.setdefault('kept', ask(self)))\n",
        (CHOSEN + "a_proxy_that_asks_gives_each_thread_its_own[{}]",),
    ),
]

MUTANTS = [*HOOKS, *CHOICE, *PER_THREAD, *PER_PROCESS, *ASKING]
