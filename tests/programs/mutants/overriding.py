"""Mistakes in `override`, `isolated` and `reset`, in Python and in C."""

from __future__ import annotations

from mutant import BETWEEN, FORK, NO_GIL, Mutant

OVERRIDE = "cells/test_override"
TESTING = "test_testing.py::test_"

PUTS_BACK = OVERRIDE + ".py::test_an_override_replaces_a_value_and_puts_it_back[{{}}-{}]"
ANY_ORDER = OVERRIDE + ".py::test_overrides_may_be_left_in_any_order[{}-own-order0]"
NO_OTHER = OVERRIDE + ".py::test_a_value_that_replaced_the_override_is_discarded_and_no_other[{}-own]"
AS_BEFORE = TESTING + "everything_starts_empty_and_is_as_before_afterwards[{}]"
FIRST_IS_AN_OVERRIDE = TESTING + "an_override_does_not_hold_inside_even_if_it_was_the_first_value[{{}}-{}]"
EVERY_KEY = TESTING + "every_key_starts_empty_and_is_as_before_afterwards[{}-{{}}]"
MADE_FOR_KEYS = TESTING + "what_was_made_for_keys_is_discarded_the_last_made_first[{}]"

BESIDE = BETWEEN.replace("-{}]", "-{}: touch | touch, isolated, touch]")
AFTER_END = TESTING + "a_value_that_a_thread_publishes_after_the_end_is_its_value[{{}}-{}]"
COMES_BACK = (
    "surfaces/test_once_per_args_equality.py::test_a_lock_that_comes_back_lets_one_thread_initialize"
    "[{}-plain key-it is second-function_of_one]"
)
REGISTERS_LATE = (
    "            is_registered = self._made >= 0\n"
    "            self._made = next_number()\n"
    "            if not is_registered:\n"
    "                register(self)\n"
)

PYTHON = [
    Mutant(
        "what raises in a reset loses what was taken before",
        "testing.py",
        "    finally:\n        # Also if",
        "    except MemoryError:\n        raise\n    else:\n        # Also if",
        (TESTING + "what_raises_in_a_reset_loses_no_value_that_was_taken_before[{}]",),
    ),
    Mutant(
        "a user's cell is emptied under the lock of overrides",
        "_cells/override.py",
        "cell._replace(*change) if cell._calls_user else in_one_step",
        "in_one_step",
        (TESTING + "an_isolation_does_not_hold_up_an_override_by_a_cell_that_locks[{}]",),
        needs=NO_GIL,
        hangs=True,
    ),
    Mutant(
        "what raises when an isolation is left keeps the rest from being restored",
        "testing.py",
        "                for layer in reversed(self.layers):\n"
        "                    steps.callback(self._leave_layer, layer)\n",
        "",
        (TESTING + "what_raises_when_an_isolation_is_left_hinders_nothing_else[{}-with]",),
        also=(
            (
                "        self._end()\n\n",
                "        for layer in self.layers:\n            self._leave_layer(layer)\n        self._end()\n\n",
            ),
        ),
    ),
    Mutant(
        "an isolation does not cover what an override writes first",
        "_cells/override.py",
        "        place._cover()\n",
        "",
        (FIRST_IS_AN_OVERRIDE.format("settings"), FIRST_IS_AN_OVERRIDE.format("table of Model")),
    ),
    Mutant(
        "an isolation does not cover a global whose first value is an override's",
        "_surfaces/global_cell.py",
        "    def _cover(self) -> None:\n        register_proxy(self._proxy)\n",
        "    def _cover(self) -> None:\n        pass\n",
        (FIRST_IS_AN_OVERRIDE.format("global"),),
    ),
    Mutant(
        "a name that was being replaced when an interrupt came is left alone",
        "_surfaces/global_cell.py",
        "            entry[3] = target\n",
        "",
        (OVERRIDE + "_interrupts.py::test_an_interrupt_leaves_no_override_behind[{}-full-lazy global]",),
    ),
    Mutant(
        "what a name had before is not known after two interrupts",
        "_surfaces/global_cell.py",
        "            entry[2] = found\n",
        "",
        ("surfaces/test_lazy_global_reification.py::test_a_name_is_known_after_each_of_two_interrupts[{}]",),
    ),
    Mutant(
        "an override does not reach a proxy whose first touch was interrupted",
        "_surfaces/proxy.py",
        "        proxy._self_is_made = None\n    # The class",
        "        pass\n    # The class",
        (
            "surfaces/test_lazy_global_races.py::test_an_override_reaches_a_global_whose_first_touch_was_interrupted[{}]",
        ),
    ),
    Mutant(
        "an override does not reach a proxy that was interrupted while it forgot its object",
        "_surfaces/proxy.py",
        "    proxy._self_is_made = None\n    # The class comes first. With",
        "    proxy._self_is_made = False\n    # The class comes first. With",
        (OVERRIDE + "_interrupts.py::test_an_interrupt_leaves_no_override_behind[{}-replaced inside-lazy global]",),
    ),
    Mutant(
        "a cell per event loop discards a value that it still has",
        "_cells/split.py",
        " and id(value) not in in_use]",
        "]",
        (NO_OTHER.replace("-own]", "-per_loop]"),),
    ),
    Mutant(
        "the cell of a reified global in a module of another class is lost",
        "_surfaces/global_cell.py",
        "if issubclass(type(module), ModuleType) and",
        "if type(module) is ModuleType and",
        (TESTING + "a_global_in_a_module_of_another_class_can_be_reset[{}]",),
    ),
    Mutant(
        "an importer of another class keeps the proxy",
        "_surfaces/reification.py",
        "if issubclass(type(importer), ModuleType):",
        "if type(importer) is ModuleType:",
        (TESTING + "a_global_in_a_module_of_another_class_can_be_reset[{}]",),
    ),
    Mutant(
        "an isolation empties a user's own cell and not the global",
        "_surfaces/global_cell.py",
        "    return _ForeignGlobalCell(proxy, ForeignCell(cell))\n",
        "    return cell\n",
        (TESTING + "a_global_with_a_users_own_cell_is_as_before[{}-True]",),
    ),
    Mutant(
        "collection touches lazy globals in classes",
        "pytest_plugin.py",
        "    elif isinstance(collector, pytest.Class):\n",
        "    elif False:\n",
        ("test_pytest_plugin.py::test_collection_touches_no_lazy_global_in_a_class_or_parameter[{}]",),
    ),
    Mutant(
        "an override of a test case's base hides that of the test case",
        "_cells/decorating.py",
        "    if is_inherited:\n        outer, inner = outer + inner, ()\n",
        "",
        (OVERRIDE + "_decorators.py::test_on_a_subclass_of_a_test_case_the_nearer_override_is_in_force[{}]",),
    ),
    Mutant(
        "a run that copies the attributes of another is left out",
        "_cells/decorating.py",
        "known[1:] if known[0] is function else",
        "known[1:] if len(known) > 1 else",
        (OVERRIDE + "_decorators.py::test_on_a_subclass_of_a_test_case_the_nearer_override_is_in_force[{}]",),
    ),
    Mutant(
        "a class is not looked at as an instance of its metaclass",
        "_surfaces/cell_of.py",
        "            is_instance = found is not _NOTHING\n",
        "",
        ("surfaces/test_cell_of.py::test_an_attribute_of_a_metaclass_belongs_to_the_class[{}]",),
    ),
    Mutant(
        "an override does not empty a cell again",
        "_cells/racing.py",
        "                stack.layers = after\n                entries.pop(key, None)\n",
        "                stack.layers = after\n",
        (PUTS_BACK.format("own"),),
    ),
    Mutant(
        "an override compares the value and not the stack",
        "_cells/racing.py",
        "            if key not in entries and stack.layers is before:",
        "            if key not in entries:",
        (OVERRIDE + "_interrupts.py::test_an_override_may_come_and_go_while_another_is_entered[{}-own]",),
    ),
    Mutant(
        "an override compares the stack and not the value",
        "_cells/racing.py",
        "            if key not in entries and stack.layers is before:",
        "            if stack.layers is before:",
        (BETWEEN.format("cell: override | touch"), BETWEEN.format("cell: override | set")),
        also=(("entries.setdefault(key, new) is not new:", "entries.update({key: new}):"),),
    ),
    Mutant(
        "leaving removes the topmost layer, whosever it is",
        "_cells/override.py",
        "        cell = self.cell\n        below, (_, found), above",
        "        cell = self.cell\n        index = len(before) - 1\n        below, (_, found), above",
        (ANY_ORDER,),
    ),
    Mutant(
        "the layer above one that is left puts back what it found itself",
        "_cells/override.py",
        "(*below, (upper, found), *others)",
        "(*below, (upper, replaced), *others)",
        (ANY_ORDER,),
    ),
    Mutant(
        "the override's own value is discarded",
        "_cells/override.py",
        "        if replaced is not found and replaced is not self.value:",
        "        if replaced is not found:",
        (NO_OTHER,),
    ),
    Mutant(
        "a value that is put back is discarded",
        "_cells/override.py",
        "        if replaced is not found and replaced",
        "        if replaced",
        (NO_OTHER,),
    ),
    Mutant(
        "a value that replaced an override is not discarded",
        "_cells/override.py",
        "            self._replaced = replaced\n",
        "            pass\n",
        (NO_OTHER,),
    ),
    Mutant(
        "an override that was dropped is not left",
        "_cells/override.py",
        "        layer.guard = ref(self, layer.leave_unheld)\n",
        "",
        (OVERRIDE + ".py::test_an_override_that_is_dropped_is_left[{}]",),
    ),
    Mutant(
        "leaving does not take up where it was interrupted",
        "_cells/override.py",
        "        if self._restores is not None:\n",
        "        if False:\n",
        (OVERRIDE + "_interrupts.py::test_an_interrupt_between_the_stack_and_the_place_is_made_good[{}]",),
    ),
    Mutant(
        "leaving takes up where it was interrupted only if no other value replaced its own",
        "_cells/override.py",
        "            while cell._load() is replaced is not found:\n",
        "            while cell._load() is self.value:\n",
        (
            OVERRIDE + "_interrupts.py::test_an_interrupt_leaves_no_override_behind[{}-replaced inside-own]",
            TESTING + "an_interrupt_leaves_everything_as_before[{}-function]",
        ),
    ),
    Mutant(
        "an interrupted entry is not undone",
        "_cells/override.py",
        "        except BaseException:\n            self._leave()\n            raise\n",
        "        except BaseException:\n            raise\n",
        (OVERRIDE + "_interrupts.py::test_an_interrupt_while_entering_enters_nothing[{}]",),
    ),
    Mutant(
        "all calls of a decorated function share one override",
        "_cells/override.py",
        "        return Override(self._cell, self._value)\n",
        "        return self\n",
        (OVERRIDE + "_decorators.py::test_an_override_decorates_a_function[{}-own]",),
    ),
    Mutant(
        "what discard returns is not awaited",
        "_cells/override.py",
        "                await finish_discarding(layer.cell._discard, discarding)\n",
        "                pass\n",
        (OVERRIDE + ".py::test_a_discard_may_be_awaited[{}]",),
    ),
    Mutant(
        "threads that wait for an initializer do not see an override",
        "_cells/override.py",
        "                break\n        cell._wake()\n",
        "                break\n",
        (OVERRIDE + ".py::test_threads_that_wait_for_an_initializer_return_the_override_at_once[{}-lock]",),
        hangs=True,
    ),
    Mutant(
        "an override of a cell per process holds in a child",
        "_cells/per_process.py",
        "            override.abandon(cell)\n",
        "            pass\n",
        (OVERRIDE + ".py::test_an_override_of_a_cell_per_process_does_not_hold_in_a_child[{}]",),
        needs=FORK,
    ),
    Mutant(
        "a cell registers after its first value is published",
        "_cells/racing.py",
        "        if self._made < 0:\n            # Before",
        "        if False:\n            # Before",
        (BESIDE.format("once_function"),),
        also=(("            self._made = next_number()\n", REGISTERS_LATE),),
    ),
    Mutant(
        "a class notes a definition after its value is published",
        "_storage/class_values.py",
        "        self.register()\n",
        "        return\n",
        (BESIDE.format("property_of_class"), BESIDE.format("once_above_classmethod")),
    ),
    Mutant(
        "the value of a class keeps the number of an earlier one with the same id",
        "_storage/class_values.py",
        "        elif key not in self and self.made[key][1]:\n",
        "        elif False:\n",
        (TESTING + "a_value_of_a_class_that_is_where_an_earlier_one_was_is_a_later_one[{}]",),
    ),
    Mutant(
        "a lazy global registers after its value is published",
        "_surfaces/proxy.py",
        "        register_proxy(self)\n        value = ask(self)\n",
        "        value = ask(self)\n",
        (BESIDE.format("proxy"),),
        also=(
            (
                "        follow_if_changed(self, value)\n        return value\n",
                "        follow_if_changed(self, value)\n        register_proxy(self)\n        return value\n",
            ),
        ),
    ),
    Mutant(
        "a lazy global does not register when it is set",
        "_surfaces/global_cell.py",
        "        register_proxy(self._proxy)\n        cell = self._cell\n",
        "        cell = self._cell\n",
        (TESTING + "a_global_that_was_set_before_it_was_touched_is_as_before[{}]",),
    ),
    Mutant(
        "a value of a thread is lost when an isolation ends meanwhile",
        "_cells/split.py",
        "        if published[1] and self._gone:\n",
        "        if False:\n",
        (AFTER_END.format("get_or_init-ThreadOnceCell"), AFTER_END.format("aget_or_init-LoopOnceCell")),
    ),
    Mutant(
        "an isolation does not say that its values are gone",
        "_cells/split.py",
        "            cells.gone.append(True)\n",
        "            pass\n",
        (AFTER_END.format("get_or_init-ThreadOnceCell"),),
    ),
    Mutant(
        "a lock that comes back is a lock of its own",
        "_storage/keyed_cell_option.py",
        "        node = self._current()\n",
        "        node = self\n",
        (COMES_BACK,),
    ),
    Mutant(
        "isolated discards the first made first",
        "testing.py",
        "        self.made.sort(key=lambda one: one[0])\n",
        "        self.made.sort(key=lambda one: one[0], reverse=True)\n",
        (AS_BEFORE,),
    ),
    Mutant(
        "isolated leaves what had no value before",
        "testing.py",
        "            if Layer(place, EMPTY).key not in known:\n",
        "            if False:\n",
        (TESTING + "what_was_empty_is_empty_again[{}]",),
    ),
    Mutant(
        "isolated does not restore the values of threads",
        "_cells/split.py",
        "        cells = new if type(new) is type(old) else cell._no_cells(new)\n",
        "        cells = cell._no_cells(EMPTY)\n",
        (TESTING + "cells_per_thread_are_isolated_in_every_thread[{}]",),
    ),
    Mutant(
        "isolated empties the cell of the calling thread alone",
        "_cells/split.py",
        "        return AllValues(self)\n",
        "        return self._mine()\n",
        (TESTING + "cells_per_thread_are_isolated_in_every_thread[{}]",),
    ),
    Mutant(
        "isolated does not keep a key that it empties",
        "testing.py",
        "        return OverridablePlace(cell, _place_of(cell._cell))\n",
        "        return _place_of(cell._cell)\n",
        (TESTING + "a_key_that_is_emptied_inside_is_as_before_afterwards[ProcessOnceCell-{}]",),
    ),
    Mutant(
        "isolated does not know of functions with arguments",
        "_surfaces/once_per_args.py",
        "            register(self._table)\n",
        "            pass\n",
        (EVERY_KEY.format("none"),),
    ),
    Mutant(
        "isolated forgets the tables of classes",
        "testing.py",
        "    tables = [value for value in values.copy().values() if _is_table(value)]\n",
        "    tables: list[Any] = []\n",
        (EVERY_KEY.format("none"),),
    ),
    Mutant(
        "reset discards the first made first",
        "testing.py",
        "    return sorted(made, key=lambda one: one[0], reverse=True)\n",
        "    return sorted(made, key=lambda one: one[0])\n",
        (TESTING + "reset_discards_everything_the_last_made_first[{}]",),
    ),
    Mutant(
        "reset discards the value of an override",
        "testing.py",
        "    if is_overridden(place):\n",
        "    if False:\n",
        (TESTING + "reset_discards_everything_the_last_made_first[{}]",),
    ),
    Mutant(
        "reset discards the override of one thread",
        "_cells/split.py",
        "            if not is_overridden(cell) and ",
        "            if ",
        (TESTING + "an_overridden_key_is_empty_inside_and_stays_in_a_reset[ThreadOnceCell-{}]",),
    ),
    Mutant(
        "a value that was put back counts as the last made",
        "_cells/override.py",
        "        self.cell._made = self._made\n",
        "",
        (TESTING + "a_restored_value_keeps_its_place_in_the_order[{}]",),
    ),
]

C = [
    Mutant(
        "an override does not compare the stack",
        "_native/cell.c",
        "    if (done == 0 && layers == before) {\n",
        "    if (done == 0) {\n",
        (OVERRIDE + "_interrupts.py::test_an_override_may_come_and_go_while_another_is_entered[{}-own]",),
    ),
    Mutant(
        "an override does not compare the value",
        "_native/cell.c",
        "(found ? value : empty) == args[0];",
        "1;",
        (BETWEEN.format("cell: override | touch"), BETWEEN.format("cell: override | set")),
    ),
    Mutant(
        "an override keeps for ever what it replaced",
        "_native/field.c",
        "    Py_XDECREF(is_there ? expected : value);\n    return is_there;",
        "    Py_XDECREF(is_there ? NULL : value);\n    return is_there;",
        (TESTING + "nothing_is_kept_alive[{}]",),
    ),
    Mutant(
        "an override does not empty an instance's dict again",
        "_native/place.c",
        "            written = old == NULL ? 1 : mapping_remove(place->values, place->key, &found);",
        "            written = 1;",
        (PUTS_BACK.format("method"),),
    ),
    Mutant(
        "an override of an empty key is not written",
        "_native/table.c",
        "            is_there = new == NULL || table_write(entry, new);",
        "            is_there = 1;",
        (PUTS_BACK.format("key"),),
    ),
    Mutant(
        "an override does not empty a key again",
        "_native/table.c",
        "            Py_DECREF(SWAP(&entry->value, new)); /*",
        "            if (new != NULL) Py_DECREF(SWAP(&entry->value, new)); /*",
        (PUTS_BACK.format("key"),),
    ),
    Mutant(
        "an override of a key keeps for ever what it replaced",
        "_native/table.c",
        "            Py_DECREF(SWAP(&entry->value, new)); /*",
        "            (void)SWAP(&entry->value, new); /*",
        (TESTING + "no_table_is_kept_alive_and_no_empty_key[{}]",),
    ),
    Mutant(
        "the values of keys have no number",
        "_native/keyed.c",
        "    entry->number = next_number();\n",
        "",
        (MADE_FOR_KEYS,),
    ),
    Mutant(
        "the value of a key that was put back counts as the last made",
        "_native/table.c",
        "            entry->number = LOAD_NUMBER(&self->cell.made);\n",
        "",
        (MADE_FOR_KEYS,),
    ),
    Mutant(
        "a value that was put back counts as the last made",
        "_native/cell.c",
        "    STORE_NUMBER(&self->made, (uint32_t)made);\n",
        "",
        (TESTING + "a_restored_value_keeps_its_place_in_the_order[{}]",),
    ),
    Mutant(
        "an interrupted entry is not undone",
        "_native/context.c",
        "        (void)context_leave(self);\n",
        "",
        (OVERRIDE + "_interrupts.py::test_an_interrupt_while_entering_enters_nothing[{}]",),
    ),
    Mutant(
        "leaving ends with the first interrupt",
        "_native/context.c",
        "enum { PATIENCE = 100 };",
        "enum { PATIENCE = 1 };",
        (OVERRIDE + "_interrupts.py::test_an_interrupt_leaves_no_override_behind[{}-full-own]",),
    ),
    Mutant(
        "in C a class notes a definition after its value is published",
        "_native/once.c",
        '(covered = call_method(values, "cover", self->definition)) == NULL',
        "(covered = Py_NewRef(Py_None)) == NULL",
        (BESIDE.format("once_above_classmethod"),),
    ),
    Mutant(
        "in C a lock that comes back is a lock of its own",
        "_native/table.c",
        "    if (self->cell.storage != IN_TABLE) {\n        return Py_NewRef(self);",
        "    if (1) {\n        return Py_NewRef(self);",
        (COMES_BACK,),
    ),
    Mutant(
        "a proxy shows the one inside it while it forgets its object",
        "_surfaces/proxy.py",
        "    change_class(\n        proxy,\n        _forgetful_with_all",
        "    _store_object(proxy, inner)\n    change_class(\n        proxy,\n        _forgetful_with_all",
        (BETWEEN.format("proxy: touch, isolated | touch"),),
    ),
]
