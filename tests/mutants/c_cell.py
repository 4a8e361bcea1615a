"""Mistakes in the native core: fields, places, cells."""

from __future__ import annotations

from mutant import (
    ATTRIBUTE_ERROR,
    BYTECODE,
    COUNTED,
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

FREED = "test_native.py::test_a_freed_object_would_be_noticed"

#: Where the user's code is called.
CALL = (
    "PyObject *value = argument == NULL ? PyObject_CallNoArgs(initializer) "
    ": PyObject_CallOneArg(initializer, argument);\n"
)

FIELDS = [
    Mutant(
        "the last write to a cell wins",
        "_native_base.h",
        "    if (*address != NULL) {\n        return 0;",
        "    if (0) {\n        return 0;",
        (ONE_OBJECT.format("cell"),),
        needs=GIL,
    ),
    Mutant(
        "the last write to a cell wins, without a GIL",
        "_native_base.h",
        "return __atomic_compare_exchange_n(address, &expected, new, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE);",
        "__atomic_store_n(address, new, __ATOMIC_RELEASE);\n    return expected == NULL;",
        (ONE_OBJECT.format("cell"),),
        needs=NO_GIL,
    ),
    Mutant(
        "without a GIL, a reader takes its reference in a second step",
        "_native_base.h",
        "PyObject *value = PyMember_GetOne((char *)self, &member);",
        "PyObject *value = LOAD(field_at(self, offset));\n"
        "    for (volatile int i = 0; i < 1000; i++) {\n    }\n"
        "    Py_XINCREF(value);",
        (FREED,),
        needs=NO_GIL,
    ),
    Mutant(
        "without a GIL, what a function makes is made immortal",
        "_native_base.h",
        "if (is_made_at_top_level(state)) {",
        "if (1) {",
        ("test_once.py::test_what_a_function_makes_of_a_function_ends[{}]",),
        needs=NO_GIL,
    ),
    Mutant(
        "the array of a call with anything unusual is never freed",
        "_native_base.h",
        "    PyMem_Free(all);\n",
        "",
        ("test_native.py::test_a_call_with_anything_unusual_leaves_no_memory_behind",),
    ),
]

PLACES = [
    Mutant(
        "the winner is discarded",
        "_native_place.h",
        '"dispose", discard, value, NULL, NULL)',
        '"dispose", discard, published, NULL, NULL)',
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "a loser that is the winner is discarded",
        "_native_place.h",
        "if (published != value && discard != NULL) {",
        "if (discard != NULL) {",
        (SHARED.format("cell"),),
    ),
    Mutant(
        "a loser is dropped and not discarded",
        "_native_place.h",
        "if (published != value && discard != NULL) {",
        "if (0) {",
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "a loser is given its own value",
        "_native_place.h",
        "    Py_DECREF(value);\n    return published;\n}",
        "    Py_DECREF(published);\n    return value;\n}",
        (ONE_OBJECT.format("cell"),),
    ),
    Mutant(
        "an exception from discard reaches the caller",
        "_native_place.h",
        '"dispose", discard, value, NULL, NULL);',
        '"dispose", discard, value, NULL, NULL);\n        Py_XSETREF(ignored, PyObject_CallOneArg(discard, value));\n'
        "        if (ignored == NULL) {\n            return NULL;\n        }",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "who wrote a cell is told by the value and not by the write",
        "_native_place.h",
        "*written = 0;",
        "*written = published == value;",
        ("test_cell.py::test_setting_the_same_object_twice_is_an_error_too[{}]",),
    ),
    Mutant(
        "take() leaves the value where it is",
        "_native_place.h",
        "return field_swap((PyObject *)self, offsetof(Cell, value), NULL);",
        "return cell_load(self);",
        ("test_cell.py::test_of_threads_that_take_exactly_one_has_the_value[{}]",),
    ),
    Mutant(
        "the last write to a dict wins",
        "_native_place.h",
        "int present = PyDict_SetDefaultRef(dict, key, value, published);",
        "int present = PyDict_SetItem(dict, key, value);\n    *published = Py_NewRef(value);",
        (ONE_OBJECT.format("once_below_classmethod"), ONE_OBJECT.format("property_of_class")),
        needs="Python 3.13",
    ),
    Mutant(
        "the last write to a slot wins",
        "_native_place.h",
        "    written = WRITE_IF_NULL(address, value);\n",
        "    written = 1;\n    Py_XSETREF(*address, value);\n",
        (ONE_OBJECT.format("property_in_slot"),),
    ),
    Mutant(
        "a loser of a slot is never freed",
        "_native_place.h",
        "    if (!written) {\n        Py_DECREF(value);\n    }\n",
        "",
        (LAWS + "nothing_keeps_a_loser_alive[{}-property_in_slot]",),
    ),
    Mutant(
        "a loser of a cell is never freed",
        "_native_place.h",
        "            *written = 0;\n            Py_DECREF(value);\n",
        "            *written = 0;\n",
        (LAWS + "nothing_keeps_a_loser_alive[{}-cell]",),
    ),
    Mutant(
        "a loser is never freed",
        "_native_place.h",
        "    Py_DECREF(value);\n    return published;\n}",
        "    return published;\n}",
        (LAWS + "nothing_keeps_a_loser_alive[{}-once_function]",),
    ),
    Mutant(
        "None in a class is taken for empty",
        "_native_once.h",
        "if (place_load(VALUES, &place, &value) == 0) {",
        "if (place_load(VALUES, &place, &value) == 0 || value == Py_None) {",
        (NONE.format("once_below_classmethod"),),
    ),
    Mutant(
        "a lock is held while the initializer runs",
        "_native_place.h",
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
        "_native_place.h",
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
        "_native_place.h",
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
        "_native_place.h",
        CALL,
        CALL + "    if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {\n"
        "        PyErr_Clear();\n"
        "        value = Py_NewRef(Py_None);\n"
        "    }\n",
        (ATTRIBUTE_ERROR.format("once_method"), ATTRIBUTE_ERROR.format("property_in_slot")),
    ),
    Mutant(
        "bytecode runs between the look and the call of the initializer",
        "_native_place.h",
        "    PyObject *value = initialize(initializer, argument);\n    return",
        f"    {BYTECODE}    PyObject *value = initialize(initializer, argument);\n    return",
        (LAW_FIVE.format("a_cell"),),
        needs=GIL,
    ),
    Mutant(
        "bytecode runs between the call of the initializer and the write",
        "_native_place.h",
        "    PyObject *value = initialize(initializer, argument);\n    return",
        f"    PyObject *value = initialize(initializer, argument);\n    {BYTECODE}    return",
        (LAW_FIVE.format("a_once_function"), LAW_FIVE_BOUND.format("class")),
        needs=GIL,
    ),
    Mutant(
        "a value that its place refuses is never freed",
        "_native_place.h",
        "    if (place_publish(kind, place, value, &published) < 0) {\n        Py_DECREF(value);\n",
        "    if (place_publish(kind, place, value, &published) < 0) {\n",
        (ENDS.format("be_refused"),),
    ),
    Mutant(
        "to take from an empty namespace adds a reference to its key",
        "_native_place.h",
        '"pop", "OO", key, key);\n    if (*value == key) {\n        Py_CLEAR(*value);',
        '"pop", "OO", key, key);\n    if (*value == key) {\n        *value = NULL;',
        (COUNTED.format("take_from_an_empty_namespace"),),
    ),
    Mutant(
        "an initializer in C may recurse without end",
        "_native_place.h",
        '    if (Py_EnterRecursiveCall(" while calling a Python object")) {\n',
        "    if (0) {\n",
        ("test_native.py::test_an_initializer_in_c_that_reaches_its_own_cell_is_a_recursion",),
        also=(("    Py_LeaveRecursiveCall();\n    return value;\n", "    return value;\n"),),
    ),
]

CELL = [
    Mutant(
        "get_or_init() takes None for empty",
        "_native_cell.h",
        "if (cell_load_any(self, &value) != 0) {\n        return value;",
        "if (cell_load_any(self, &value) != 0 && value != Py_None) {\n        return value;",
        (NONE.format("cell"),),
    ),
    Mutant(
        "get() takes None for empty",
        "_native_cell.h",
        "if (cell_load_any(self, &value) == 0) {",
        "if (cell_load_any(self, &value) == 0 || value == Py_None) {",
        ("test_cell.py::test_a_value_that_is_none_is_not_taken_for_empty[{}]",),
    ),
    Mutant(
        "take() takes None for empty",
        "_native_cell.h",
        "if (place_clear(self->kind, &place, &value) == 0) {",
        "if (place_clear(self->kind, &place, &value) == 0 || value == Py_None) {",
        ("test_cell.py::test_a_value_that_is_none_is_not_taken_for_empty[{}]",),
    ),
    Mutant(
        "set() on a full cell does nothing",
        "_native_cell.h",
        "        if (written) {\n            Py_RETURN_NONE;",
        "        if (1) {\n            Py_RETURN_NONE;",
        ("test_cell.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "a full cell takes anything for an initializer",
        "_native_cell.h",
        ' || !PyCallable_Check(args[0])) {\n        return cell_reference((PyObject *)self, "get_or_init"',
        ') {\n        return cell_reference((PyObject *)self, "get_or_init"',
        ("test_cell.py::test_what_cannot_be_called_is_refused_even_by_a_full_cell[{}-3]",),
    ),
    Mutant(
        "a pickled cell comes back empty where it held None",
        "_native_cell.h",
        "    int found = cell_load_any(self, &value);\n    return or_empty(",
        "    int found = cell_load_any(self, &value);\n    found = found && value != Py_None;\n    return or_empty(",
        ("test_cell.py::test_pickling_keeps_the_value_or_that_there_is_none[{}-2]",),
    ),
    Mutant(
        "a cell that is initialized again keeps its value",
        "_native_cell.h",
        "if (self->kind == OWN && LOAD(&self->value) != NULL) {",
        "if (0) {",
        ("test_cell.py::test_a_cell_that_is_initialized_again_is_empty[{}]",),
    ),
    Mutant(
        "a view forgets the discard of its definition",
        "_native_cell.h",
        "    (void)field_set((PyObject *)self, discard, (void *)offsetof(Cell, discard));\n",
        "",
        (LOSERS.format("async_property"),),
    ),
    Mutant(
        "the collector does not see the value of a cell",
        "_native_cell.h",
        "    Py_VISIT(self->value);\n",
        "",
        ("test_cell.py::test_a_cell_is_weakly_referenced_and_collected[{}]",),
    ),
    Mutant(
        "the collector does not see the discard of a cell",
        "_native_cell.h",
        "    Py_VISIT(self->discard);\n",
        "",
        ("test_cell.py::test_a_cell_that_its_discard_refers_to_is_collected[{}]",),
    ),
    Mutant(
        "a cycle through the value of a cell is not broken",
        "_native_cell.h",
        "    Py_CLEAR(self->value);\n    Py_CLEAR(self->discard);\n    return 0;",
        "    return 0;",
        ("test_cell.py::test_a_cycle_of_nothing_but_cells_is_collected[{}]",),
    ),
    Mutant(
        "is_set() keeps the value",
        "_native_cell.h",
        "    Py_XDECREF(value);\n    return PyBool_FromLong(found);",
        "    return PyBool_FromLong(found);",
        (ENDS.format("is_set"),),
    ),
    Mutant(
        "set() keeps the value",
        "_native_cell.h",
        "        Py_DECREF(published);\n        if (written)",
        "        if (written)",
        (ENDS.format("set_"),),
    ),
    Mutant(
        "aget_or_init() keeps the value",
        "_native_cell.h",
        'Py_BuildValue("(NO)"',
        'Py_BuildValue("(OO)"',
        (ENDS.format("aget_or_init"),),
    ),
    Mutant(
        "get_or_init() keeps the discard",
        "_native_cell.h",
        "    Py_XDECREF(discard);\n    return value;",
        "    return value;",
        (ENDS.format("discard_of_a_cell"),),
    ),
    Mutant(
        "a cell that is initialized again keeps its discard",
        "_native_cell.h",
        "    return field_set((PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Cell, discard));",
        "    return discard == NULL ? 0 : field_set((PyObject *)self, discard, (void *)offsetof(Cell, discard));",
        ("test_cell.py::test_a_cell_that_is_initialized_again_without_a_discard_has_none[{}]",),
    ),
    Mutant(
        "a view can be led elsewhere",
        "_native_cell.h",
        "    if (self->cell.kind != OWN) {\n        PyErr_SetString",
        "    if (0) {\n        PyErr_SetString",
        ("test_native.py::test_a_view_leads_where_it_led_when_it_was_made",),
    ),
    Mutant(
        "a view of a slot takes any owner",
        "_native_cell.h",
        "if (!PyObject_TypeCheck(owner, ((PyMemberDescrObject *)member)->d_common.d_type)) {",
        "if (0) {",
        ("test_native.py::test_a_slot_that_is_not_the_owners_is_no_place",),
    ),
    Mutant(
        "a view of a slot may write what can only be read",
        "_native_cell.h",
        " || definition->flags & READONLY",
        "",
        ("test_native.py::test_a_slot_that_can_only_be_read_is_no_place",),
    ),
    Mutant(
        "an assignment through a view keeps the old value",
        "_native_cell.h",
        "Py_XDECREF(field_swap(self->place.owner, self->place.offset, value));",
        "(void)field_swap(self->place.owner, self->place.offset, value);",
        (ENDS.format("assign_to_a_slot_by_its_view"),),
    ),
    Mutant(
        "slots of one name are one place",
        "_native_cell.h",
        " &&\n               self->place.offset == other->place.offset;",
        ";",
        ("test_property.py::test_what_a_base_gives_is_assigned_to_an_override_as_it_is[{}]",),
    ),
    Mutant(
        "a view keeps the discard of its definition alive",
        "_native_cell.h",
        "    Py_DECREF(discard);\n    return 0;\n}\n\nstatic int\ndict_cell_init",
        "    return 0;\n}\n\nstatic int\ndict_cell_init",
        (ENDS.format("discard_of_a_view"),),
    ),
    Mutant(
        "a view that has ended keeps its definition",
        "_native_cell.h",
        "        Py_CLEAR(((BoundCell *)self)->definition);\n",
        "",
        (COUNTED.format("make_a_view"),),
    ),
    Mutant(
        "a view that has ended keeps its key",
        "_native_cell.h",
        "        Py_CLEAR(((BoundCell *)self)->place.key);\n",
        "",
        (COUNTED.format("make_a_view"),),
    ),
]

MUTANTS = [*FIELDS, *PLACES, *CELL]
