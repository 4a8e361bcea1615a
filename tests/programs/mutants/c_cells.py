"""Mistakes in the native core: fields, places, cells."""

from __future__ import annotations

from mutant import (
    ATTRIBUTE_ERROR,
    BYTECODE,
    COUNTED,
    DICT_AFTER,
    ENDS,
    FAILURE,
    GIL,
    LAW_FIVE,
    LAW_FIVE_BOUND,
    LAWS,
    LOSERS,
    NO_GIL,
    NO_WAITING,
    NONE,
    ONE_OBJECT,
    SHARED,
    Mutant,
)

FREED = "native/test_lifetimes.py::test_a_freed_object_would_be_noticed"

ASSUMED = "native/test_assumptions.py::test_"

#: Where the user's code is called.
CALL = (
    "PyObject *value = argument == NULL ? PyObject_CallNoArgs(initializer) "
    ": PyObject_CallOneArg(initializer, argument);\n"
)

FIELDS = [
    Mutant(
        "the last write to a cell wins",
        "_native/base.h",
        "    if (*address != NULL) {\n        return 0;",
        "    if (0) {\n        return 0;",
        (ONE_OBJECT.format("cell"),),
        needs=GIL,
    ),
    Mutant(
        "the last write to a cell wins, without a GIL",
        "_native/base.h",
        "return __atomic_compare_exchange_n(address, &expected, new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE);",
        "__atomic_store_n(address, new, __ATOMIC_RELEASE);\n    return expected == NULL;",
        (ONE_OBJECT.format("cell"),),
        needs=NO_GIL,
    ),
    Mutant(
        "without a GIL, a reader takes its reference in a second step",
        "_native/field.h",
        "PyObject *value = PyMember_GetOne((char *)self, &member);",
        "PyObject *value = LOAD(field_at(self, offset));\n"
        "    for (volatile int i = 0; i < 1000; i++) {\n    }\n"
        "    Py_XINCREF(value);",
        (FREED,),
        needs=NO_GIL,
    ),
    Mutant(
        "the array of a call with anything unusual is never freed",
        "_native/base.c",
        "    PyMem_Free(all);\n",
        "",
        ("native/test_memory.py::test_a_call_with_anything_unusual_leaves_no_memory_behind",),
    ),
]

ASSUMPTIONS = [
    Mutant(
        "types are remembered by version tags that do not hold",
        "_native/attribute.h",
        "    if (!version_tags_hold) {\n        return;\n    }\n",
        "",
        (ASSUMED + "without_version_tags_the_place_of_a_slot_is_looked_up_at_every_read",),
    ),
    Mutant(
        "slots are written though they do not stay",
        "_native/replace.c",
        "written_slots_hold ? find_wrapped(base) : 0",
        "find_wrapped(base)",
        (ASSUMED + "without_slots_or_wrapt_lazy_globals_are_in_python[written_slots]",),
    ),
    Mutant(
        "wrapt's getter is not looked at",
        "_native/proxy.c",
        "int is_there = read == unique && ",
        "int is_there = 1 || ",
        (ASSUMED + "a_check_notices_a_wrapt_whose_getter_is_different",),
    ),
    Mutant(
        "references are counted as shared where that does not work",
        "_native/field.h",
        "    if (!shared_counts_hold) {",
        "    if (0) {",
        (ASSUMED + "without_shared_counts_a_reference_is_counted_as_usual",),
        needs=NO_GIL,
    ),
]

PLACES = [
    Mutant(
        "an interrupt while a cell registers is lost",
        "_native/place.c",
        "    return *published == NULL ? -1 : 0;\n}\n\nstatic int\nplace_remove",
        "    return 0;\n}\n\nstatic int\nplace_remove",
        ("cells/test_registry.py::test_an_interrupt_while_registering_reaches_the_caller[{}-call]",),
    ),
    Mutant(
        "the winner is discarded",
        "_native/place.c",
        '"dispose", discard, value, NULL, NULL)',
        '"dispose", discard, published, NULL, NULL)',
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "a loser that is the winner is discarded",
        "_native/place.c",
        "if (published != value && discard != NULL) {",
        "if (discard != NULL) {",
        (SHARED.format("cell"),),
    ),
    Mutant(
        "a loser is dropped and not discarded",
        "_native/place.c",
        "if (published != value && discard != NULL) {",
        "if (0) {",
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "a loser is given its own value",
        "_native/place.c",
        "    Py_DECREF(value);\n    return published;\n}",
        "    Py_DECREF(published);\n    return value;\n}",
        (ONE_OBJECT.format("cell"),),
    ),
    Mutant(
        "an exception from discard reaches the caller",
        "_native/place.c",
        '"dispose", discard, value, NULL, NULL);',
        '"dispose", discard, value, NULL, NULL);\n        Py_XSETREF(ignored, PyObject_CallOneArg(discard, value));\n'
        "        if (ignored == NULL) {\n            return NULL;\n        }",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "whether a call wrote is judged by the value and not by the write",
        "_native/place.c",
        "*written = 0;",
        "*written = published == value;",
        ("cells/test_racing.py::test_setting_the_same_object_twice_is_an_error_too[{}]",),
    ),
    Mutant(
        "take() leaves the value where it is",
        "_native/place.c",
        "return field_swap((PyObject *)self, offsetof(Cell, value), NULL);",
        "return cell_load(self);",
        ("cells/test_racing.py::test_of_threads_that_take_exactly_one_has_the_value[{}]",),
    ),
    Mutant(
        "the last write to a dict wins",
        "_native/place.c",
        "return PyDict_SetDefaultRef(dict, key, value, published);",
        "*published = Py_NewRef(value);\n    return PyDict_SetItem(dict, key, value);",
        tuple(
            ONE_OBJECT.format(surface)
            for surface in ("once_below_classmethod", "property_of_class", "once_method", "property_in_dict")
        ),
        needs="Python 3.13",
    ),
    Mutant(
        "the last write to a slot wins",
        "_native/place.c",
        "    *written = WRITE_IF_NULL(address, value);\n",
        "    *written = 1;\n    Py_XSETREF(*address, value);\n",
        (ONE_OBJECT.format("property_in_slot"),),
    ),
    Mutant(
        "a loser of a slot is never freed",
        "_native/place.c",
        "    if (!*written) {\n        Py_DECREF(value);\n    }\n",
        "",
        (LAWS + "nothing_keeps_a_loser_alive[{}-property_in_slot]",),
    ),
    Mutant(
        "a loser of a cell is never freed",
        "_native/place.c",
        "            *written = 0;\n            Py_DECREF(value);\n",
        "            *written = 0;\n",
        (LAWS + "nothing_keeps_a_loser_alive[{}-cell]",),
    ),
    Mutant(
        "a loser is never freed",
        "_native/place.c",
        "    Py_DECREF(value);\n    return published;\n}",
        "    return published;\n}",
        (LAWS + "nothing_keeps_a_loser_alive[{}-once_function]",),
    ),
    Mutant(
        "None in a class is taken for empty",
        "_native/once.c",
        "if (dict_load(values, self->key, &value) == 0) {\n        PyObject *covered",
        "if (dict_load(values, self->key, &value) == 0 || value == Py_None) {\n        PyObject *covered",
        (NONE.format("once_below_classmethod"),),
        also=(
            (
                "else if (dict_load(values, self->key, &value) == 0) {",
                "else if (dict_load(values, self->key, &value) == 0 || value == Py_None) {",
            ),
        ),
    ),
    Mutant(
        "a lock is held while the initializer runs",
        "_native/place.c",
        CALL,
        "static PyThread_type_lock lock;\n"
        "    if (lock == NULL) {\n"
        "        lock = PyThread_allocate_lock();\n"
        "    }\n"
        "    Py_BEGIN_ALLOW_THREADS\n"
        "    PyThread_acquire_lock(lock, WAIT_LOCK);\n"
        "    Py_END_ALLOW_THREADS\n"
        f"    {CALL}"
        "    PyThread_release_lock(lock);\n",
        (NO_WAITING.format("cell"),),
        hangs=True,
    ),
    Mutant(
        "an exception is cached",
        "_native/place.c",
        CALL,
        "static PyObject *cached;\n"
        "    if (cached != NULL) {\n"
        "        PyErr_SetObject((PyObject *)Py_TYPE(cached), cached);\n"
        "        Py_LeaveRecursiveCall();\n"
        "        return NULL;\n"
        "    }\n"
        f"    {CALL}"
        "    if (value == NULL) {\n"
        "        PyObject *type, *traceback;\n"
        "        PyErr_Fetch(&type, &cached, &traceback);\n"
        "        PyErr_NormalizeException(&type, &cached, &traceback);\n"
        "        PyErr_Restore(type, Py_NewRef(cached), traceback);\n"
        "    }\n",
        (FAILURE.format("cell"), FAILURE.format("once_method")),
    ),
    Mutant(
        "an exception becomes the value",
        "_native/place.c",
        "    return value == NULL ? NULL : publish(",
        "    if (value == NULL) {\n"
        "        PyObject *type, *traceback;\n"
        "        PyErr_Fetch(&type, &value, &traceback);\n"
        "        PyErr_NormalizeException(&type, &value, &traceback);\n"
        "    }\n"
        "    return value == NULL ? NULL : publish(",
        (FAILURE.format("once_function"),),
    ),
    Mutant(
        "an attribute error of an initializer is swallowed",
        "_native/place.c",
        CALL,
        CALL + "    if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {\n"
        "        PyErr_Clear();\n"
        "        value = Py_NewRef(Py_None);\n"
        "    }\n",
        (ATTRIBUTE_ERROR.format("once_method"), ATTRIBUTE_ERROR.format("property_in_slot")),
    ),
    Mutant(
        "bytecode runs between the look and the call of the initializer",
        "_native/place.c",
        "    PyObject *value = initialize(initializer, argument);\n    return",
        f"    {BYTECODE}    PyObject *value = initialize(initializer, argument);\n    return",
        (LAW_FIVE.format("a_cell"), LAW_FIVE_BOUND.format("dict")),
        needs=GIL,
    ),
    Mutant(
        "bytecode runs between the call of the initializer and the write",
        "_native/place.c",
        "    PyObject *value = initialize(initializer, argument);\n    return",
        f"    PyObject *value = initialize(initializer, argument);\n    {BYTECODE}    return",
        (LAW_FIVE.format("a_once_function"), LAW_FIVE_BOUND.format("class"), LAW_FIVE_BOUND.format("dict")),
        needs=GIL,
    ),
    Mutant(
        "a value that its place refuses is never freed",
        "_native/place.c",
        "    if (place_publish(storage, place, value, &published, NULL) < 0) {\n        Py_DECREF(value);\n",
        "    if (place_publish(storage, place, value, &published, NULL) < 0) {\n",
        (ENDS.format("be_refused"),),
    ),
    Mutant(
        "a value that is its own key is taken for none",
        "_native/place.c",
        "PyObject *missing = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);",
        "PyObject *missing = Py_NewRef(key);",
        ("surfaces/test_once_property.py::test_a_value_that_is_the_attributes_own_name_is_a_value[{}]",),
    ),
    Mutant(
        "the dict is looked up before the initializer runs",
        "_native/place.c",
        "    PyObject *value = initialize(initializer, argument);\n"
        "    return value == NULL ? NULL : publish(self, storage, place, discard, value);",
        "    Place before = *place;\n"
        "    if (storage == IN_NAMESPACE) {\n"
        "        before.values = place_namespace(place);\n"
        "    }\n"
        "    PyObject *value = initialize(initializer, argument);\n"
        "    return value == NULL ? NULL : publish(self, storage, &before, discard, value);",
        (
            DICT_AFTER.format("property-dict"),
            "surfaces/test_once_methods.py::test_an_initializer_may_change_its_instance[{}-None-dict]",
            "surfaces/test_once_methods.py::test_an_initializer_may_change_where_its_instance_keeps_attributes[{}]",
        ),
    ),
    Mutant(
        "a value that is kept in a dict keeps the dict",
        "_native/place.c",
        "        Py_XDECREF(namespace);\n        return result;",
        "        return result;",
        (ENDS.format("keep_in_a_namespace"),),
    ),
    Mutant(
        "a lazy attribute takes None for empty",
        "_native/place.c",
        "    return place_load(storage, place, &value) != 0 ? value : fill(",
        "    return place_load(storage, place, &value) != 0 && value != Py_None ? value : fill(",
        (NONE.format("property_through_super"),),
    ),
    Mutant(
        "a slot is read and written in any object",
        "_native/place.c",
        "    if (!PyObject_TypeCheck(owner, PyDescr_TYPE(member))) {\n",
        "    if (0) {\n",
        (
            "native/test_lookups.py::test_a_slot_that_is_not_the_owners_is_no_place",
            "surfaces/test_once_property_changes.py::test_a_slot_is_not_looked_for_in_one_class_and_read_in_another[{}]",
        ),
    ),
    Mutant(
        "a slot may be written that can only be read",
        "_native/place.c",
        " || slot->flags & READONLY",
        "",
        ("native/test_lookups.py::test_a_slot_that_can_only_be_read_is_no_place",),
    ),
    Mutant(
        "a view writes into a slot that is another's in the class of its owner by now",
        "_native/place.c",
        "    if (place->find_slot == NULL || PyObject_TypeCheck(place->owner, PyDescr_TYPE(place->key))) {\n",
        "    if (1) {\n",
        ("surfaces/test_once_property_changes.py::test_an_initializer_may_change_the_class_of_a_slot[{}-async]",),
    ),
    Mutant(
        "an initializer in C may recurse without end",
        "_native/place.c",
        '    if (Py_EnterRecursiveCall(" while calling a Python object")) {\n',
        "    if (0) {\n",
        ("native/test_soundness.py::test_an_initializer_in_c_that_reaches_its_own_cell_is_a_recursion",),
        also=(("    Py_LeaveRecursiveCall();\n    return value;\n", "    return value;\n"),),
    ),
]

CELL = [
    Mutant(
        "get_or_init() takes None for empty",
        "_native/cell.c",
        "if (cell_load_any(self, &value) != 0) {\n        return value;",
        "if (cell_load_any(self, &value) != 0 && value != Py_None) {\n        return value;",
        (NONE.format("cell"),),
    ),
    Mutant(
        "a coroutine function fills a cell",
        "_native/cell.c",
        "if (state != NULL && !is_synchronous(args[0])) {",
        "if (0) {",
        (
            "cells/test_racing.py::test_a_coroutine_function_is_not_an_initializer_of_get_or_init[{}-GILOnceCell-None-function]",
        ),
    ),
    Mutant(
        "a function that is marked as a coroutine function fills a cell",
        "_native/cell.c",
        " &&\n               LOAD(&((PyFunctionObject *)callable)->func_dict) == NULL",
        "",
        ("cells/test_racing.py::test_a_function_marked_as_a_coroutine_function_is_refused_as_one[{}-GILOnceCell]",),
        needs="Python 3.13",
    ),
    Mutant(
        "an initializer that was looked at runs although there is a value",
        "_native/cell.c",
        "        if (cell_load_any(self, &value) != 0) {\n            return value;\n        }\n    }",
        "    }",
        ("cells/test_racing.py::test_a_value_that_comes_while_the_initializer_is_looked_at_is_the_value[{}]",),
    ),
    Mutant(
        "get() takes None for empty",
        "_native/cell.c",
        "if (cell_load_any(self, &value) == 0) {",
        "if (cell_load_any(self, &value) == 0 || value == Py_None) {",
        ("cells/test_racing.py::test_a_value_that_is_none_is_not_taken_for_empty[{}]",),
    ),
    Mutant(
        "take() takes None for empty",
        "_native/cell.c",
        "if (place_remove(self->storage, &place, &value) == 0) {",
        "if (place_remove(self->storage, &place, &value) == 0 || value == Py_None) {",
        ("cells/test_racing.py::test_a_value_that_is_none_is_not_taken_for_empty[{}]",),
    ),
    Mutant(
        "set() on a full cell does nothing",
        "_native/cell.c",
        "        if (written) {\n            Py_RETURN_NONE;",
        "        if (1) {\n            Py_RETURN_NONE;",
        ("cells/test_racing.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "a full cell takes anything for an initializer",
        "_native/cell.c",
        ' || !PyCallable_Check(args[0])) {\n        return call_python_cell((PyObject *)self, "get_or_init"',
        ') {\n        return call_python_cell((PyObject *)self, "get_or_init"',
        ("cells/test_racing.py::test_what_cannot_be_called_is_refused_even_by_a_full_cell[{}-3]",),
    ),
    Mutant(
        "a pickled cell comes back empty where it held None",
        "_native/cell.c",
        "    int found = cell_load_any(self, &value);\n    return or_empty(",
        "    int found = cell_load_any(self, &value);\n    found = found && value != Py_None;\n    return or_empty(",
        ("cells/test_racing.py::test_pickling_keeps_the_value_or_that_there_is_none[{}-2]",),
    ),
    Mutant(
        "a cell that is initialized again keeps its value",
        "_native/cell.c",
        "if (self->storage == IN_CELL && LOAD(&self->value) != NULL) {",
        "if (0) {",
        ("cells/test_racing.py::test_a_cell_that_is_initialized_again_is_empty[{}]",),
    ),
    Mutant(
        "a view forgets the discard of its definition",
        "_native/view.c",
        "    (void)field_set((PyObject *)self, discard, (void *)offsetof(Cell, discard));\n",
        "",
        (LOSERS.format("async_property"),),
    ),
    Mutant(
        "the collector does not see the value of a cell",
        "_native/cell.c",
        "    Py_VISIT(self->value);\n",
        "",
        ("cells/test_racing.py::test_a_cell_is_weakly_referenced_and_collected[{}]",),
    ),
    Mutant(
        "the collector does not see the key of a cell",
        "_native/cell.c",
        "        Py_VISIT(((BoundCell *)self)->place.key); /* the descriptor of a slot leads to the class */\n",
        "",
        ("surfaces/test_once_slots.py::test_a_class_that_reaches_the_cell_of_a_slot_is_collected[{}-method]",),
        needs=GIL,
    ),
    Mutant(
        "the collector does not see the discard of a cell",
        "_native/cell.c",
        "    Py_VISIT(self->discard);\n",
        "",
        ("cells/test_racing.py::test_a_cell_that_its_discard_refers_to_is_collected[{}]",),
    ),
    Mutant(
        "a cycle through the value of a cell is not broken",
        "_native/cell.c",
        "    Py_CLEAR(self->value);\n    Py_CLEAR(self->discard);\n    return 0;",
        "    return 0;",
        ("cells/test_racing.py::test_a_cycle_of_nothing_but_cells_is_collected[{}]",),
    ),
    Mutant(
        "is_set() keeps the value",
        "_native/cell.c",
        "    Py_XDECREF(value);\n    return PyBool_FromLong(found);",
        "    return PyBool_FromLong(found);",
        (ENDS.format("is_set"),),
    ),
    Mutant(
        "set() keeps the value",
        "_native/cell.c",
        "        Py_DECREF(published);\n        if (written)",
        "        if (written)",
        (ENDS.format("set_"),),
    ),
    Mutant(
        "aget_or_init() keeps the value",
        "_native/cell.c",
        'Py_BuildValue("(NO)"',
        'Py_BuildValue("(OO)"',
        (ENDS.format("aget_or_init"),),
    ),
    Mutant(
        "get_or_init() keeps the discard",
        "_native/cell.c",
        "    Py_XDECREF(discard);\n    return value;",
        "    return value;",
        (ENDS.format("discard_of_a_cell"),),
    ),
    Mutant(
        "a cell that is initialized again keeps its discard",
        "_native/cell.c",
        "    return field_set((PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Cell, discard));",
        "    return discard == NULL ? 0 : field_set((PyObject *)self, discard, (void *)offsetof(Cell, discard));",
        ("cells/test_racing.py::test_a_cell_that_is_initialized_again_without_a_discard_has_none[{}]",),
    ),
    Mutant(
        "a view can be led elsewhere",
        "_native/view.c",
        "    if (self->cell.storage != IN_CELL) {\n        PyErr_SetString",
        "    if (0) {\n        PyErr_SetString",
        ("native/test_lookups.py::test_a_view_leads_where_it_led_when_it_was_made",),
    ),
    Mutant(
        "an assignment through a view keeps the old value",
        "_native/view.c",
        "        Py_XDECREF(old);\n        break;",
        "        break;",
        (ENDS.format("assign_to_a_slot_by_its_view"),),
    ),
    Mutant(
        "all slots of an owner are one place",
        "_native/view.c",
        "    if (same > 0) {\n",
        "    if (0) {\n",
        ("surfaces/test_once_property_slots.py::test_what_a_base_gives_is_assigned_to_an_override_as_it_is[{}]",),
    ),
    Mutant(
        "a view keeps the discard of its definition alive",
        "_native/view.c",
        "    Py_DECREF(discard);\n    return 0;\n}\n\nstatic int\ndict_cell_init",
        "    return 0;\n}\n\nstatic int\ndict_cell_init",
        (ENDS.format("discard_of_a_view"),),
    ),
    Mutant(
        "a view that has ended keeps its definition",
        "_native/cell.c",
        "        Py_CLEAR(((BoundCell *)self)->definition);\n",
        "",
        (COUNTED.format("make_a_view"),),
    ),
    Mutant(
        "a view that has ended keeps its key",
        "_native/cell.c",
        "        Py_CLEAR(((BoundCell *)self)->place.key);\n",
        "",
        (COUNTED.format("make_a_view"),),
    ),
]

MUTANTS = [*FIELDS, *ASSUMPTIONS, *PLACES, *CELL]
