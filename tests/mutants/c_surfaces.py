"""Mistakes in the surfaces of the native core."""

from __future__ import annotations

from mutant import BYTECODE, GIL, LAW_FIVE_BOUND, LOSERS, NONE, ONE_OBJECT, Mutant

ONCE = [
    Mutant(
        "a once function takes None for empty",
        "_native_once.h",
        "            if (value != NULL) {\n                return value;",
        "            if (value != NULL && value != Py_None) {\n                return value;",
        (NONE.format("once_function"),),
    ),
    Mutant(
        "a once method takes None for empty",
        "_native_once.h",
        "    if (attribute_load(owner, self->key, &value) != 0) {\n        return value;",
        "    if (attribute_load(owner, self->key, &value) != 0 && value != Py_None) {\n        return value;",
        (NONE.format("once_method"),),
    ),
    Mutant(
        "a once function forgets its discard",
        "_native_once.h",
        "    self->discard = discard == Py_None ? NULL : Py_NewRef(discard);",
        "    self->discard = NULL;",
        (LOSERS.format("once_function"),),
    ),
    Mutant(
        "the cell of a once function forgets its discard",
        "_native_once.h",
        "((Cell *)cell)->discard = discard == Py_None ? NULL : Py_NewRef(discard);",
        "((Cell *)cell)->discard = NULL;",
        ("test_once.py::test_the_cell_of_a_function_discards_as_the_function_does[{}]",),
    ),
    Mutant(
        "a method has one value for all instances",
        "_native_once.h",
        "    if (PyType_Check(owner)) {\n        return once_of_class(self, owner);",
        "    if (1) {\n        return once_of_class(self, PyType_Check(owner) ? owner : (PyObject *)Py_TYPE(owner));",
        ("test_once.py::test_a_method_has_one_value_per_instance[{}]",),
    ),
    Mutant(
        "a class method has one value for all classes",
        "_native_once.h",
        "    PyObject *values = call_method(self->definition,",
        "    while (((PyTypeObject *)owner)->tp_base != &PyBaseObject_Type) {\n"
        "        owner = (PyObject *)((PyTypeObject *)owner)->tp_base;\n"
        "    }\n"
        "    PyObject *values = call_method(self->definition,",
        ("test_once.py::test_a_class_method_has_one_value_per_class[{}-True]",),
    ),
    Mutant(
        "arguments of a once function are ignored",
        "_native_once.h",
        "if (count == 0 && !(flags & NEEDS_OWNER)) {",
        "if (!(flags & NEEDS_OWNER)) {",
        ("test_once.py::test_an_argument_beyond_the_instance_is_refused_by_name[{}]",),
    ),
    Mutant(
        "the coroutine of a coroutine function is its value",
        "_native_once.h",
        "if (kwnames == NULL && !(flags & IS_ASYNC)) {",
        "if (kwnames == NULL) {",
        ("test_once.py::test_every_call_of_a_coroutine_function_returns_a_coroutine_with_the_one_value[{}]",),
    ),
    Mutant(
        "the collector does not see what a once function wraps",
        "_native_once.h",
        "    Py_VISIT(self->function);\n    Py_VISIT(self->cell);\n",
        "    Py_VISIT(self->cell);\n",
        ("test_once.py::test_a_once_function_in_a_cycle_is_collected[{}-function]",),
    ),
    Mutant(
        "the collector does not see the cell of a once function",
        "_native_once.h",
        "    Py_VISIT(self->cell);\n",
        "",
        ("test_once.py::test_a_once_function_in_a_cycle_is_collected[{}-value]",),
    ),
    Mutant(
        "the collector does not see what a once method is bound to",
        "_native_once.h",
        "    Py_VISIT(self->owner);\n",
        "",
        ("test_once.py::test_a_once_function_in_a_cycle_is_collected[{}-owner]",),
    ),
]

ATTRIBUTES = [
    Mutant(
        "the last write to an attribute wins",
        "_native_attribute.h",
        "int found = attribute_load(instance, key, published);",
        "int found = 0;",
        (ONE_OBJECT.format("once_method"),),
        needs=GIL,
    ),
    Mutant(
        "the key is the function's name",
        "_native_attribute.h",
        'PyObject_GetAttrString(definition, "key")',
        'PyObject_GetAttrString(definition, "what")',
        ("test_once.py::test_definitions_that_share_a_qualified_name_share_no_value[{}]",),
    ),
]

PROPERTY = [
    Mutant(
        "a base publishes under the derived name",
        "_native_property.h",
        "(is_self ? UNDER_ITS_NAME : 0)",
        "(is_self >= 0 ? UNDER_ITS_NAME : 0)",
        ("test_property.py::test_an_override_that_calls_super_keeps_both_values_apart[{}]",),
    ),
    Mutant(
        "the last write to a lazy attribute wins",
        "_native_property.h",
        "int found = property_load(self, instance, key, how, published);",
        "int found = 0;",
        (ONE_OBJECT.format("property_in_dict"),),
        needs=GIL,
    ),
    Mutant(
        "a lazy attribute takes None for empty",
        "_native_property.h",
        "if (property_load(self, instance, key, how, &value) != 0) {",
        "if (property_load(self, instance, key, how, &value) != 0 && value != Py_None) {",
        (NONE.format("property_through_super"),),
        needs=GIL,
    ),
    Mutant(
        "a slot takes None for empty",
        "_native_property.h",
        "        if (value != NULL) {\n            return Py_NewRef(value);",
        "        if (value != NULL && value != Py_None) {\n            return Py_NewRef(value);",
        (NONE.format("property_in_slot"),),
        also=(
            (
                "    if (slot_load(&place, &value) != 0) {\n        return value;",
                "    if (slot_load(&place, &value) != 0 && value != Py_None) {\n        return value;",
            ),
        ),
    ),
    Mutant(
        "a property forgets its discard",
        "_native_property.h",
        "(PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Property, discard))",
        "(PyObject *)self, Py_None, (void *)offsetof(Property, discard))",
        (LOSERS.format("property_in_dict"), LOSERS.format("property_in_slot")),
    ),
    Mutant(
        "bytecode runs between the call for a lazy attribute and the write",
        "_native_property.h",
        "    value = initialize(function, instance);\n",
        f"    value = initialize(function, instance);\n    {BYTECODE}",
        (LAW_FIVE_BOUND.format("dict"),),
        needs=GIL,
    ),
    Mutant(
        "bytecode runs between the call for a slot and the write",
        "_native_property.h",
        "    value = initialize(use->function, instance);\n",
        f"    value = initialize(use->function, instance);\n    {BYTECODE}",
        (LAW_FIVE_BOUND.format("slot"),),
        needs=GIL,
    ),
    Mutant(
        "what an initializer has changed about its property is overlooked",
        "_native_property.h",
        "if (!recall(&self->met, Py_TYPE(instance), &now) || (int)now != how || !may_probe(self, how)) {",
        "if (0) {",
        ("test_property.py::test_an_initializer_may_make_of_its_property_a_data_descriptor[{}]",),
        needs=GIL,
    ),
    Mutant(
        "a slot is written in an instance that has become of another class",
        "_native_property.h",
        "    if (Py_TYPE(instance) != type) {\n",
        "    if (0) {\n",
        ("test_property.py::test_an_initializer_may_change_the_class_of_a_slot[{}]",),
    ),
    Mutant(
        "a new name leaves what is known of the old one",
        "_native_property.h",
        "    STORE_NUMBER(&self->met.known, 0);\n",
        "",
        ("test_property.py::test_what_it_was_made_of_can_be_replaced[{}]",),
    ),
    Mutant(
        "a new slot leaves what is known of the old one",
        "_native_property.h",
        "    STORE_NUMBER(&self->slot_met.known, 0);\n",
        "",
        ("test_property.py::test_it_can_be_initialized_again_for_another_slot[{}]",),
    ),
    Mutant(
        "an async property in a slot gives the bare value",
        "_native_property.h",
        "offset <= (Py_ssize_t)UINT32_MAX && LOAD(&self->is_async) != Py_True) {",
        "offset <= (Py_ssize_t)UINT32_MAX) {",
        ("test_property.py::test_monkeypatch_puts_an_async_property_back[{}]",),
        also=(
            (
                "LOAD(&self->attrname) != NULL && LOAD(&self->is_async) != Py_True) {\n        Py_ssize_t offset",
                "LOAD(&self->attrname) != NULL) {\n        Py_ssize_t offset",
            ),
        ),
        needs=GIL,
    ),
    Mutant(
        "a probe of one thread answers another",
        "_native_property.h",
        "if (self->probed == instance && self->prober == &own_place) {",
        "if (self->probed == instance) {",
        ("test_native.py::test_a_key_that_is_no_string_confuses_no_reader",),
        needs=GIL,
    ),
    Mutant(
        "an assignment to a slot is lost once there is a value",
        "_native_property.h",
        "PyObject *old = field_swap(instance, offset, value);",
        "PyObject *old = value == NULL ? field_swap(instance, offset, value) : NULL;",
        ("test_property.py::test_a_slot_holds_the_value_instead[{}]",),
    ),
    Mutant(
        "to delete what is not there is no error",
        "_native_property.h",
        "if (value != NULL || old != NULL) {",
        "if (1) {",
        ("test_property.py::test_a_slot_holds_the_value_instead[{}]",),
    ),
    Mutant(
        "the collector does not see what a property calls",
        "_native_property.h",
        "    Py_VISIT(self->function);\n",
        "",
        ("test_property.py::test_a_subclass_that_discards_by_its_own_method_is_collected[{}]",),
    ),
    Mutant(
        "the collector does not see the discard of a property",
        "_native_property.h",
        "    Py_VISIT(self->discard);\n",
        "",
        ("test_property.py::test_a_subclass_that_discards_by_its_own_method_is_collected[{}]",),
    ),
]

GLOBAL = [
    Mutant(
        "what is the proxy's own is asked of the real object",
        "_native_global.h",
        "return prefix[i] == 0 || PyUnicode_READ_CHAR(name, 1) == '_';",
        "return 0;",
        (NONE.format("proxy"),),
    ),
    Mutant(
        "a coroutine function is taken for another function",
        "_native_global.h",
        "->co_flags & CO_COROUTINE) {",
        "->co_flags & CO_COROUTINE && 0) {",
        ("test_global.py::test_a_coroutine_function_is_refused[{}]",),
    ),
    Mutant(
        "Any counts as an interface",
        "_native_global.h",
        'strcmp(((PyTypeObject *)annotation)->tp_name, "Any") == 0',
        "0",
        ("test_global.py::test_an_annotation_that_says_nothing_counts_as_none[{}-typing.Any]",),
        needs="Python 3.11",
    ),
    Mutant(
        "object counts as an interface",
        "_native_global.h",
        "annotation == (PyObject *)&PyBaseObject_Type",
        "0",
        ("test_global.py::test_an_annotation_that_says_nothing_counts_as_none[{}-<class 'object'>]",),
    ),
    Mutant(
        "the interface that was given is overlooked",
        "_native_global.h",
        ": class_for(PyTuple_GET_ITEM(bound, 1), interface);",
        ": PyTuple_GET_ITEM(bound, 2);",
        ("test_global.py::test_an_interface_narrows_what_an_untouched_proxy_can_be[{}-interface]",),
    ),
]

RUNS_ONCE = "test_lock.py::test_the_initializer_runs_once_and_all_get_its_object[{{}}-{}]"

#: Where the surfaces ask a chosen cell.
CHOSEN = [
    Mutant(
        "a once function fills a chosen cell as one that races",
        "_native_once.h",
        "            if (flags & IS_CHOSEN) {",
        "            if (flags & IS_FOREIGN) {",
        (RUNS_ONCE.format("once_function"),),
        hangs=True,
    ),
    Mutant(
        "a once method fills a chosen cell as one that races",
        "_native_once.h",
        "return self->flags & IS_CHOSEN ? once_ask_for",
        "return self->flags & IS_FOREIGN ? once_ask_for",
        (RUNS_ONCE.format("once_method"),),
        hangs=True,
    ),
    Mutant(
        "a once class method fills a chosen cell as one that races",
        "_native_once.h",
        "value = self->flags & IS_CHOSEN\n",
        "value = self->flags & IS_FOREIGN\n",
        (RUNS_ONCE.format("once_above_classmethod"),),
        hangs=True,
    ),
    Mutant(
        "a property fills a chosen cell as one that races",
        "_native_property.h",
        "    if (is_chosen) {\n",
        "    if (is_chosen && key == NULL) {\n",
        (RUNS_ONCE.format("property_in_dict"), RUNS_ONCE.format("property_in_slot")),
        hangs=True,
    ),
    Mutant(
        "a cell of another kind is filled as one that races",
        "_native_cell.h",
        "if (state == NULL || Py_TYPE(self) == state->cell_type) {",
        "if (state == NULL || Py_TYPE(self) != NULL) {",
        (RUNS_ONCE.format("cell"),),
        hangs=True,
    ),
    Mutant(
        "a cell that is none of ours is read as ours",
        "_native_once.h",
        "            flags |= where ? 0 : IS_FOREIGN;\n",
        "            (void)where;\n",
        ("test_chosen.py::test_a_function_has_one_cell_of_the_kind_that_was_chosen[{}-one's own]",),
    ),
    Mutant(
        "a cell that gives its value in its own way is read as ours",
        "_native_once.h",
        "found = found > 0 ? method == ours : found;",
        "found = found > 0 ? 1 : found;",
        ("test_chosen.py::test_a_cell_with_its_own_way_to_give_a_value_is_asked_each_time[{}]",),
    ),
    Mutant(
        "an async property in a slot, with a chosen cell, gives the bare value",
        "_native_property.h",
        "LOAD(&self->is_async) != Py_True) {\n        Place place",
        "LOAD(&self->is_async) != NULL) {\n        Place place",
        ("test_lock_async.py::test_one_task_initializes_and_the_others_wait_without_blocking[{}-slot_of]",),
    ),
    Mutant(
        "what a child inherits is not kept",
        "_native_cell.h",
        "    (void)Py_NewRef(value);\n    Py_RETURN_NONE;",
        "    (void)value;\n    Py_RETURN_NONE;",
        ("test_per_process_kept.py::test_what_is_kept_has_a_reference_too_many[{}]",),
    ),
]

MUTANTS = [*CHOSEN, *ONCE, *ATTRIBUTES, *PROPERTY, *GLOBAL]
