"""Mistakes in the surfaces of the native core."""

from __future__ import annotations

from mutant import BYTECODE, COUNTED, ENDS, GIL, LAW_FIVE_BOUND, LOSERS, NONE, Mutant

AGREE = "surfaces/test_once_methods.py::test_a_call_and_its_cell_agree_after_the_class_has_changed[{{}}-{}]"
FOREIGN_KEY = (
    "surfaces/test_once_property_changes.py::"
    "test_what_a_property_works_with_may_be_replaced_while_a_foreign_key_is_compared[{{}}-{}-{}-{}]"
)
PROPERTY_TEST = "surfaces/test_once_property_subclasses.py::test_"

ONCE = [
    Mutant(
        "a once function takes None for empty",
        "_native/once.c",
        "            if (value != NULL) {\n                return value;",
        "            if (value != NULL && value != Py_None) {\n                return value;",
        (NONE.format("once_function"),),
    ),
    Mutant(
        "a once method takes None for empty",
        "_native/once.c",
        "        if (attribute_load(owner, key, &value) != 0) {\n",
        "        if (attribute_load(owner, key, &value) != 0 && value != Py_None) {\n",
        (NONE.format("once_method"),),
        also=(
            (
                "attribute_load(owner, self->key, &value) != 0) {",
                "attribute_load(owner, self->key, &value) != 0 && value != Py_None) {",
            ),
        ),
    ),
    Mutant(
        "a once function forgets its discard",
        "_native/once.c",
        "    self->discard = discard == Py_None ? NULL : Py_NewRef(discard);",
        "    self->discard = NULL;",
        (LOSERS.format("once_function"),),
    ),
    Mutant(
        "the cell of a once function forgets its discard",
        "_native/once.c",
        'call_global(state->once_globals, "make_cell", wrapped, discard, cell_factory, NULL)',
        'call_global(state->once_globals, "make_cell", wrapped, Py_None, cell_factory, NULL)',
        ("surfaces/test_once_cell.py::test_the_cell_of_a_function_discards_as_the_function_does[{}]",),
    ),
    Mutant(
        "a method has one value for all instances",
        "_native/once.c",
        "    if (PyType_Check(owner)) {\n        return !is_checked",
        "    if (!PyType_Check(owner)) {\n"
        "        return once_value_of_class(self, (PyObject *)Py_TYPE(owner));\n    }\n"
        "    if (1) {\n        return !is_checked",
        ("surfaces/test_once_methods.py::test_a_method_has_one_value_per_instance[{}]",),
    ),
    Mutant(
        "a class method has one value for all classes",
        "_native/once.c",
        "    PyObject *values = call_method(self->definition,",
        "    while (((PyTypeObject *)owner)->tp_base != &PyBaseObject_Type) {\n"
        "        owner = (PyObject *)((PyTypeObject *)owner)->tp_base;\n"
        "    }\n"
        "    PyObject *values = call_method(self->definition,",
        ("surfaces/test_once_methods.py::test_a_class_method_has_one_value_per_class[{}-True]",),
    ),
    Mutant(
        "a once method takes None in a slot for empty",
        "_native/once.c",
        "    if (slot_load(&place, &value) != 0) {\n",
        "    if (slot_load(&place, &value) != 0 && value != Py_None) {\n",
        (NONE.format("once_method_in_slot"),),
        also=(
            (
                "    if (value != NULL) {\n        return value;\n    }\n    if (!is_checked",
                "    if (value != NULL && value != Py_None) {\n        return value;\n    }\n    if (!is_checked",
            ),
        ),
    ),
    Mutant(
        "a once method in a slot forgets its discard",
        "_native/once.c",
        "fill_named_slot((PyObject *)self, &place, self->discard, self->function)",
        "fill_named_slot((PyObject *)self, &place, NULL, self->function)",
        (LOSERS.format("once_method_in_slot"),),
    ),
    Mutant(
        "an argument of any function is taken for an instance with the slot",
        "_native/once.c",
        "    if (!is_checked && once_check_owner(self, owner) < 0) {\n",
        "    if (0) {\n",
        ("surfaces/test_once_slots.py::test_a_function_that_is_put_into_a_class_keeps_its_value_in_a_slot[{}]",),
    ),
    Mutant(
        "a chosen cell is not asked for the value of a slot",
        "_native/once.c",
        "        return once_value_in_python(self, owner);\n    }\n    return fill_named",
        "    }\n    return fill_named",
        ("surfaces/test_once_slots.py::test_a_lock_in_a_slot_finds_deadlocks[{}]",),
    ),
    Mutant(
        "a once method that has ended keeps the name of its slot",
        "_native/once.c",
        "    Py_CLEAR(self->slot);\n",
        "",
        (COUNTED.format("name_a_slot_of_a_method"),),
    ),
    Mutant(
        "an argument of any function is taken for an instance, in C",
        "_native/once.c",
        "return once_value_of(self, args[0], !(flags & IS_OUTSIDE_CLASSES));",
        "return once_value_of(self, args[0], 1);",
        (
            "surfaces/test_once_owner.py::test_an_argument_of_a_function_that_is_not_a_method_is_refused[{}-None-connect]",
        ),
    ),
    Mutant(
        "a class given to any function is taken for an owner",
        "_native/once.c",
        "return !is_checked && once_check_owner(self, owner) < 0 ? NULL : once_value_of_class(self, owner);",
        "return once_value_of_class(self, owner);",
        (
            "surfaces/test_once_owner.py::test_an_argument_of_a_function_that_is_not_a_method_is_refused[{}-None-connect]",
        ),
    ),
    Mutant(
        "the function's own attributes are lost, in C",
        "_native/once.c",
        "        self->dict = Py_NewRef(attributes);\n",
        "",
        ("surfaces/test_once_looks.py::test_the_functions_own_attributes_reach_a_decorator_above[{}-function-plain]",),
    ),
    Mutant(
        "to decorate a function makes it a __dict__",
        "_native/once.c",
        "PyFunction_Check(function) && LOAD(&((PyFunctionObject *)function)->func_dict) == NULL",
        "0",
        ("native/test_memory.py::test_a_function_that_is_decorated_is_given_no_dict",),
    ),
    Mutant(
        "to decorate a function adds a reference to its attributes",
        "_native/once.c",
        "    Py_DECREF(attributes);\n",
        "",
        (ENDS.format("attribute_of_a_function"),),
    ),
    Mutant(
        "arguments of a once function are ignored",
        "_native/once.c",
        "if (count == 0 && !(flags & NEEDS_OWNER)) {",
        "if (!(flags & NEEDS_OWNER)) {",
        ("surfaces/test_once_errors.py::test_an_argument_beyond_the_instance_is_refused_by_name[{}]",),
    ),
    Mutant(
        "the coroutine of a coroutine function is its value",
        "_native/once.c",
        "if (kwnames == NULL && !(flags & IS_ASYNC)) {",
        "if (kwnames == NULL) {",
        (
            "surfaces/test_once_async.py::test_every_call_of_a_coroutine_function_returns_a_coroutine_with_the_one_value[{}]",
        ),
    ),
    Mutant(
        "the collector does not see what a once function wraps",
        "_native/once.c",
        "    Py_VISIT(self->function);\n    Py_VISIT(self->cell);\n",
        "    Py_VISIT(self->cell);\n",
        ("surfaces/test_once_lifetimes.py::test_a_once_function_in_a_cycle_is_collected[{}-function]",),
    ),
    Mutant(
        "the collector does not see the cell of a once function",
        "_native/once.c",
        "    Py_VISIT(self->cell);\n",
        "",
        ("surfaces/test_once_lifetimes.py::test_a_once_function_in_a_cycle_is_collected[{}-value]",),
    ),
    Mutant(
        "the collector does not see what a once method is bound to",
        "_native/bound_once.c",
        "    Py_VISIT(self->owner);\n",
        "",
        ("surfaces/test_once_lifetimes.py::test_a_once_function_in_a_cycle_is_collected[{}-owner]",),
    ),
    Mutant(
        "a once function that has ended keeps its discard",
        "_native/once.c",
        "    Py_CLEAR(self->discard);\n",
        "",
        (ENDS.format("discard_of_a_function"),),
    ),
    Mutant(
        "a once function that has ended keeps what makes its cells",
        "_native/once.c",
        "    Py_CLEAR(self->cell_factory);\n",
        "",
        (ENDS.format("what_makes_cells"),),
    ),
    Mutant(
        "a once method that has ended keeps its key",
        "_native/once.c",
        "    Py_CLEAR(self->key);\n",
        "",
        ("laws/test_references.py::test_the_key_of_a_method_ends_with_it[{}]",),
    ),
    Mutant(
        "to define a once method adds a reference to its discard",
        "_native/once.c",
        "    Py_XDECREF(discard);\n    if (!WRITE_IF_NULL(&self->key, key))",
        "    if (!WRITE_IF_NULL(&self->key, key))",
        (ENDS.format("discard_of_a_method"),),
    ),
    Mutant(
        "a call of a once class method keeps the values of the class",
        "_native/once.c",
        "    Py_DECREF(values);\n    return value;",
        "    return value;",
        (COUNTED.format("ask_a_class"),),
    ),
    Mutant(
        "a bound once method that has ended keeps the method",
        "_native/bound_once.c",
        "    Py_CLEAR(self->function);\n    Py_CLEAR(self->owner);",
        "    Py_CLEAR(self->owner);",
        (ENDS.format("look_a_method_up"),),
    ),
    Mutant(
        "who watches a bound once method is not told of its end",
        "_native/bound_once.c",
        "    Py_TRASHCAN_BEGIN(self, bound_dealloc)\n    if (self->weakrefs != NULL) {",
        "    Py_TRASHCAN_BEGIN(self, bound_dealloc)\n    if (0) {",
        ("native/test_lifetimes.py::test_who_watches_a_bound_method_is_told_of_its_end",),
    ),
    Mutant(
        "a method is not asked again where its instance keeps its values",
        "_native/once.c",
        "    if (is_usual && !is_missing && attribute_load(owner, self->key, &value) != 0) {\n",
        "    if (!is_missing && attribute_load(owner, self->key, &value) != 0) {\n",
        tuple(AGREE.format(how) for how in ("another class", "a __getattribute__ of its own")),
        also=(("    if (!is_usual || self->flags & IS_CHOSEN) {\n", "    if (self->flags & IS_CHOSEN) {\n"),),
    ),
    Mutant(
        "a method of an instance that keeps its values elsewhere runs at every call",
        "_native/once.c",
        "    if (!is_usual || self->flags & IS_CHOSEN) {\n",
        "    if (self->flags & IS_CHOSEN) {\n",
        ("surfaces/test_once_methods.py::test_a_method_of_an_instance_with_hooks_runs_once[{}]",),
    ),
]

ATTRIBUTES = [
    Mutant(
        "what is known of one type is taken for a fact about another",
        "_native/attribute.h",
        "    if (tag == 0 || (uint32_t)(word >> 32) != tag) {\n",
        "    if (word == 0) {\n",
        tuple(AGREE.format(how) for how in ("another class", "a __getattribute__ of its own")),
    ),
    Mutant(
        "the key is the function's name",
        "_native/attribute.c",
        'PyObject_GetAttrString(definition, "key")',
        'PyObject_GetAttrString(definition, "what")',
        ("surfaces/test_once_methods.py::test_definitions_that_share_a_qualified_name_share_no_value[{}]",),
    ),
    Mutant(
        "what an instance says of any attribute is its value",
        "_native/attribute.c",
        "    if (Py_TYPE(instance)->tp_getattro == PyObject_GenericGetAttr) {\n        return PyObject_GetOptionalAttr",
        "    if (1) {\n        return PyObject_GetOptionalAttr",
        ("surfaces/test_once_methods.py::test_what_an_instance_says_of_other_attributes_is_not_taken_for_a_value[{}]",),
        needs="Python 3.13",
    ),
    Mutant(
        "a __dict__ that is a property is not asked",
        "_native/attribute.c",
        "            found = Py_IS_TYPE(entry, &PyGetSetDescr_Type);\n",
        "            found = 1;\n",
        (ENDS.format("be_refused"),),
    ),
    Mutant(
        "an override is found in the last class and not in the first",
        "_native/attribute.c",
        "    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro) && found == 0; i++) {",
        "    for (Py_ssize_t i = PyTuple_GET_SIZE(mro) - 1; i >= 0 && found == 0; i--) {",
        ("surfaces/test_once_property.py::test_an_override_that_calls_super_keeps_both_values_apart[{}]",),
    ),
]

#: About the class that C replaces. They are mistakes in Python that only the native core shows.
PROPERTY_CLASSES = [
    Mutant(
        "a property in Python gets a class in C",
        "_surfaces/property_classes.py",
        "class_property, static_property = cls._classes\n",
        "class_property, static_property = _classes_over_c\n",
        (PROPERTY_TEST + "a_class_may_derive_from_property_too[{}]",),
    ),
    Mutant(
        "a property in Python is not a once_property",
        "_surfaces/property_classes.py",
        "    made.register(cls)\n",
        "",
        (PROPERTY_TEST + "a_class_may_derive_from_property_too[{}]",),
    ),
    Mutant(
        "a property in Python names the module that has it",
        "_surfaces/property_classes.py",
        "made._in_python = public(cls)",
        "made._in_python = cls",
        (PROPERTY_TEST + "a_class_may_derive_from_property_too[{}]",),
    ),
    Mutant(
        "properties in Python share a slot unnoticed",
        "_surfaces/property_classes.py",
        "issubclass(cls, cls._classes[1])",
        "issubclass(cls, _classes_over_c[1])",
        (PROPERTY_TEST + "a_slot_is_not_shared_by_properties_in_python[{}]",),
    ),
    Mutant(
        "a class derives from C and from another class with fields",
        "_surfaces/property_classes.py",
        "                if base in bases:\n",
        "                if base is None:\n",
        (PROPERTY_TEST + "of_a_subclass_and_property_only_python_can_make_one_class[{}]",),
    ),
]

PROPERTY = [
    Mutant(
        "a base publishes under the derived name",
        "_native/property.c",
        "(entry == (PyObject *)self ? UNDER_ITS_NAME : 0)",
        "UNDER_ITS_NAME",
        ("surfaces/test_once_property.py::test_an_override_that_calls_super_keeps_both_values_apart[{}]",),
    ),
    Mutant(
        "a function that was replaced during a lookup is called",
        "_native/property.c",
        "&place, fields.discard, fields.function, instance);",
        "&place, fields.discard, self->function, instance);",
        # How often the interpreter compares before it asks the property varies.
        tuple(FOREIGN_KEY.format("func", "class", count) for count in range(1, 9)),
    ),
    Mutant(
        "a slot takes None for empty",
        "_native/property.c",
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
        "_native/property.c",
        "(PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Property, discard))",
        "(PyObject *)self, Py_None, (void *)offsetof(Property, discard))",
        (LOSERS.format("property_in_dict"), LOSERS.format("property_in_slot")),
    ),
    Mutant(
        "bytecode runs between the call for a slot and the write",
        "_native/named_slot.c",
        "    PyObject *value = initialize(function, place->owner);\n",
        f"    PyObject *value = initialize(function, place->owner);\n    {BYTECODE}",
        (LAW_FIVE_BOUND.format("slot"), "native/test_law_five.py::test_law_five_holds_for_methods[slot]"),
        needs=GIL,
    ),
    Mutant(
        "a slot is written in an instance that has become of another class",
        "_native/named_slot.c",
        "    if (value != NULL && (PyObject *)Py_TYPE(place->owner) != type) {\n",
        "    if (0) {\n",
        ("surfaces/test_once_property_changes.py::test_an_initializer_may_change_the_class_of_a_slot[{}-sync]",),
    ),
    Mutant(
        "a new name leaves what is known of the old one",
        "_native/property.c",
        "    forget(&self->memo);\n    forget(&self->slot_offset);\n    return result;",
        "    forget(&self->slot_offset);\n    return result;",
        ("surfaces/test_once_property_changes.py::test_what_it_was_made_of_can_be_replaced[{}]",),
    ),
    Mutant(
        "a new slot leaves what is known of the old one",
        "_native/property.c",
        "    forget(&self->memo);\n    forget(&self->slot_offset);\n    return result;",
        "    forget(&self->memo);\n    return result;",
        ("surfaces/test_once_property_changes.py::test_it_can_be_initialized_again_for_another_slot[{}]",),
    ),
    Mutant(
        "an async property in a slot gives the bare value",
        "_native/property.c",
        "LOAD(&self->is_async) == Py_True ? NULL : &self->slot_offset, instance)",
        "&self->slot_offset, instance)",
        ("surfaces/test_once_property_async.py::test_monkeypatch_puts_an_async_property_back[{}]",),
        also=(
            (
                "LOAD(&self->attrname) != NULL && LOAD(&self->is_async) != Py_True) {\n        Py_ssize_t offset",
                "LOAD(&self->attrname) != NULL) {\n        Py_ssize_t offset",
            ),
        ),
        needs=GIL,
    ),
    Mutant(
        "an assignment to a slot is lost once there is a value",
        "_native/property.c",
        "PyObject *old = field_swap(instance, offset, value);",
        "PyObject *old = value == NULL ? field_swap(instance, offset, value) : NULL;",
        ("surfaces/test_once_property_slots.py::test_a_slot_holds_the_value_instead[{}]",),
    ),
    Mutant(
        "to delete what is not there is no error",
        "_native/property.c",
        "if (value != NULL || old != NULL) {",
        "if (1) {",
        ("surfaces/test_once_property_slots.py::test_a_slot_holds_the_value_instead[{}]",),
    ),
    Mutant(
        "the collector does not see what a property calls",
        "_native/property.c",
        "    Py_VISIT(self->function);\n",
        "",
        (
            "surfaces/test_once_property_subclasses.py::test_a_subclass_that_discards_by_its_own_method_is_collected[{}]",
        ),
    ),
    Mutant(
        "the collector does not see the discard of a property",
        "_native/property.c",
        "    Py_VISIT(self->discard);\n",
        "",
        (
            "surfaces/test_once_property_subclasses.py::test_a_subclass_that_discards_by_its_own_method_is_collected[{}]",
        ),
    ),
    Mutant(
        "a property that is initialized again keeps its discard",
        "_native/property.c",
        "(void)field_set((PyObject *)self, discard == NULL ? Py_None : discard, (void *)offsetof(Property, discard));",
        "if (discard != NULL) {\n"
        "        (void)field_set((PyObject *)self, discard, (void *)offsetof(Property, discard));\n"
        "    }",
        (
            "surfaces/test_once_property_changes.py::test_it_can_be_initialized_again_without_a_discard[{}-None]",
            "surfaces/test_once_property_changes.py::test_it_can_be_initialized_again_without_a_discard[{}-_x]",
        ),
    ),
    Mutant(
        "a property that has ended keeps its discard",
        "_native/property.c",
        "    Py_CLEAR(self->discard);\n",
        "",
        (ENDS.format("discard_of_a_property"),),
    ),
    Mutant(
        "a property that has ended keeps the name of its slot",
        "_native/property.c",
        "    Py_CLEAR(self->slot);\n",
        "",
        (COUNTED.format("name_a_slot"),),
    ),
    Mutant(
        "a property that has ended keeps its name",
        "_native/property.c",
        "    Py_CLEAR(self->attrname);\n",
        "",
        (COUNTED.format("name_a_slot"),),
    ),
    Mutant(
        "an access adds a reference to what a property calls",
        "_native/property.c",
        "    Py_XDECREF(fields->function);\n",
        "",
        (ENDS.format("function_of_a_property"),),
    ),
    Mutant(
        "an access to a slot adds a reference to a key",
        "_native/property.c",
        "    Py_XDECREF(fields->key);\n",
        "",
        (COUNTED.format("read_a_slot"),),
    ),
    Mutant(
        "an assignment to a slot keeps the old value",
        "_native/property.c",
        "            Py_XDECREF(old);\n            return 0;",
        "            return 0;",
        (ENDS.format("assign_to_a_slot"),),
    ),
]

LATE_METHODS = (
    "surfaces/test_lazy_global_interfaces.py::"
    "test_a_proxy_has_the_methods_that_its_class_has_got_before[{}-interface-None]"
)
SAYS_NOTHING = "surfaces/test_lazy_global_interfaces.py::test_an_annotation_that_says_nothing_counts_as_none"

GLOBAL = [
    Mutant(
        "what is the proxy's own is asked of the real object",
        "_native/proxy.c",
        'return strncmp(text, "_self_", 6) == 0;',
        "return 0;",
        (NONE.format("proxy"),),
    ),
    Mutant(
        "a name of wrapt's is asked of the object",
        "_native/proxy.c",
        'return strncmp(text, "__wrapped_", 10) == 0 || (',
        "return (",
        ("surfaces/test_proxy_lookups.py::test_no_name_of_wrapts_reaches_the_object[{}]",),
    ),
    Mutant(
        "a coroutine function is taken for another function",
        "_native/proxy.c",
        "->co_flags & CO_COROUTINE) {",
        "->co_flags & CO_COROUTINE && 0) {",
        ("surfaces/test_lazy_global.py::test_a_coroutine_function_is_refused[{}]",),
    ),
    Mutant(
        "what says nothing counts as an interface",
        "_native/proxy.c",
        "(!is_annotation || PyTuple_GET_ITEM(entry, 2) == Py_True)",
        "1",
        (SAYS_NOTHING + "[{}-<class 'object'>]",),
    ),
    Mutant(
        "a proxy made in C has the methods that its class had at first",
        "_native/proxy.c",
        "    if (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) {\n        return 1;",
        "    if (1) {\n        return 1;",
        (LATE_METHODS,),
    ),
    Mutant(
        "a proxy made in C has the methods that its class has lost",
        "_native/proxy.c",
        "return is_same && count == PyList_GET_SIZE(names);",
        "return is_same;",
        (LATE_METHODS,),
        needs=GIL,
    ),
    Mutant(
        "a proxy made in C lacks the methods that its class had hidden",
        "_native/proxy.c",
        "(PyTuple_GET_ITEM(known, 1) == Py_True) == (entry == Py_None);",
        "1;",
        (LATE_METHODS,),
        needs=GIL,
    ),
    Mutant(
        "inspect does not find attributes of a proxy's object, in C",
        "_native/proxy_types.c",
        '    {"__dict__", proxy_get_dict, NULL, NULL, NULL},\n',
        "",
        ("surfaces/test_lazy_global_touched.py::test_a_touched_proxy_can_be_given_to_code_that_tells_kinds_apart[{}]",),
        needs="Python 3.13",
    ),
    Mutant(
        "the interface that was given is overlooked",
        "_native/proxy.c",
        "cls = class_for(known, interface, given == Py_None && interface != factory);",
        "cls = Py_NewRef(class_for_anything);",
        (
            "surfaces/test_lazy_global_interfaces.py::test_an_interface_narrows_what_an_untouched_proxy_can_be[{}-interface]",
        ),
    ),
    Mutant(
        "a slot that the interface lacks is inherited from wrapt",
        "_native/proxy_types.c",
        "*(void **)((char *)type + interface_slots[i].offset) = NULL;",
        "continue;",
        ("surfaces/test_lazy_global_touched.py::test_a_lazy_path_is_a_path[{}-touched]",),
    ),
    Mutant(
        "a special method that the interface lacks is found in wrapt's class",
        "_native/proxy_types.c",
        "result = PyDict_SetItem(own, name, entry);",
        "result = 0;",
        ("surfaces/test_lazy_global_touched.py::test_a_touched_proxy_is_no_more_able_than_its_object[{}]",),
    ),
    Mutant(
        "the interpreter names the proxy's class",
        "_native/proxy_types.c",
        "type->tp_name = text;",
        "",
        ("surfaces/test_lazy_global_touched.py::test_the_interpreters_messages_name_the_class_of_the_object[{}]",),
    ),
    Mutant(
        "a sequence does not match a pattern for sequences",
        "_native/proxy_types.c",
        "(Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING)",
        "0",
        ("surfaces/test_lazy_global_touched.py::test_a_touched_proxy_can_be_given_to_code_that_tells_kinds_apart[{}]",),
    ),
    Mutant(
        "an index that is too far below zero wraps around twice",
        "_native/proxy_slots.c",
        "its_own == NULL ? PySequence_GetItem(wrapped, index) : its_own(wrapped, index)",
        "PySequence_GetItem(wrapped, index)",
        ("surfaces/test_lazy_global_touched.py::test_a_sequence_in_c_is_indexed_as_the_object_is[{}]",),
    ),
    Mutant(
        "a tuple is not owned while its items are hashed",
        "_native/proxy.h",
        "return is_number(object) || is_text(object);",
        "return is_number(object) || is_text(object) || PyTuple_CheckExact(object);",
        ("surfaces/test_proxy_operands.py::test_an_operation_owns_the_object_while_user_code_runs[{}-tuple-hash]",),
        needs=GIL,
    ),
    Mutant(
        "a list is not extended by a lazy iterable",
        "_native/proxy_slots.c",
        "TYPE_SLOT(left, tp_as_sequence, sq_inplace_concat) == NULL",
        "1",
        ("surfaces/test_lazy_global_operations.py::test_a_list_is_extended_in_place_by_a_lazy_iterable[{}]",),
    ),
    Mutant(
        "a TypeError of the factory is taken for one of an addition, in C",
        "_native/proxy_slots.c",
        "second != NULL && sum == NULL && PyErr",
        "sum == NULL && PyErr",
        ("surfaces/test_lazy_global_operations.py::test_a_type_error_of_the_factory_is_not_one_of_an_addition[{}]",),
    ),
    Mutant(
        "to reach through a proxy adds a reference to the real object",
        "_native/proxy.c",
        "    Py_DECREF(wrapped);\n    return value;",
        "    return value;",
        (ENDS.format("reach_through_a_proxy"),),
    ),
    Mutant(
        "an interface is known by where it lies alone",
        "_native/proxy.c",
        "if (referent == interface && (",
        "if ((",
        (
            "surfaces/test_lazy_global_interfaces.py::test_an_interface_is_not_taken_for_one_that_lay_where_it_lies[{}-dict]",
        ),
    ),
    Mutant(
        "to make a proxy adds a reference to what is known of its interface",
        "_native/proxy.c",
        "        Py_DECREF(entry);\n    }\n    Py_XDECREF(key);",
        "    }\n    Py_XDECREF(key);",
        (COUNTED.format("make_a_proxy"),),
    ),
]

#: What is put together when the package is imported.
MODULE = [
    Mutant(
        "messages name a class of C by its module",
        "_native/replace.c",
        'PyObject_SetAttrString(type, "__name__", name) < 0',
        "0",
        ("native/test_same_as_python.py::test_no_misuse_tells_which_implementation_serves",),
    ),
    Mutant(
        "the collector does not see the type of bound once methods",
        "_native/module.c",
        "        Py_VISIT(*field);\n",
        "        if (field != (PyObject **)&state->bound_type) {\n            Py_VISIT(*field);\n        }\n",
        ("native/test_soundness.py::test_a_package_that_is_dropped_is_collected",),
        needs=GIL,
    ),
    Mutant(
        "the collector does not see the Python class of cells",
        "_native/module.c",
        "        Py_VISIT(*field);\n",
        "        if (field != &state->python_cell) {\n            Py_VISIT(*field);\n        }\n",
        ("native/test_soundness.py::test_a_package_that_is_dropped_is_collected",),
        needs=GIL,
    ),
    Mutant(
        "the collector does not see the names of a module",
        "_native/module.c",
        "        Py_VISIT(*field);\n",
        "        if (field != &state->once_globals) {\n            Py_VISIT(*field);\n        }\n",
        ("native/test_soundness.py::test_a_package_that_is_dropped_is_collected",),
        needs=GIL,
    ),
    Mutant(
        "a core that has ended keeps the type of cells",
        "_native/module.c",
        "        Py_CLEAR(*field);\n",
        "        if (field != (PyObject **)&state->cell_type) {\n            Py_CLEAR(*field);\n        }\n",
        ("native/test_soundness.py::test_a_package_that_is_dropped_is_collected",),
        needs=GIL,
    ),
    Mutant(
        "a method that is documented is documented again",
        "_native/replace.c",
        '        if (signature == NULL || strcmp(signature + strlen(signature) - 2, "\\n\\n") != 0) {',
        "        if (signature == NULL) {",
        ("native/test_soundness.py::test_a_package_that_is_dropped_is_collected",),
        needs=GIL,
    ),
    Mutant(
        "a method is not documented",
        "_native/replace.c",
        '"%s%s", signature, text);',
        '"%s%s", signature, "");',
        ("native/test_same_as_python.py::test_names_signatures_and_documentation_are_the_same[GILOnceCell]",),
    ),
    Mutant(
        "a type is not documented",
        "_native/replace.c",
        'int is_text = equals(name, "__doc__") || equals',
        "int is_text = equals",
        ("native/test_same_as_python.py::test_names_signatures_and_documentation_are_the_same[GILOnceCell]",),
    ),
    Mutant(
        "the type of once methods can be changed",
        "_native/replace.c",
        '"Once", &once_method_spec, TEXTS_ONLY | FROZEN,',
        '"Once", &once_method_spec, TEXTS_ONLY,',
        ("native/test_lookups.py::test_what_a_lookup_may_rely_on_cannot_be_assigned",),
    ),
    Mutant(
        "the type of once functions can be changed",
        "_native/replace.c",
        '{"Once", &once_spec, COMPLETED | FROZEN,',
        '{"Once", &once_spec, COMPLETED,',
        ("native/test_lookups.py::test_what_a_lookup_may_rely_on_cannot_be_assigned",),
    ),
    Mutant(
        "a proxy of wrapt's in Python is read as one in C",
        "_native/replace.c",
        "    if (found <= 0) {\n        return found < 0",
        "    if (found < 0) {\n        return found < 0",
        ("surfaces/test_lazy_global.py::test_a_proxy_works_with_and_without_the_compiled_part_of_wrapt[{}-1]",),
    ),
    Mutant(
        "any class counts as a property",
        "_native/replace.c",
        "while (with->name != NULL && strcmp(name, with->name) != 0) {",
        "while (with->spec != &property_spec && strcmp(name, with->name) != 0) {",
        ("native/test_soundness.py::test_only_what_the_core_knows_is_replaced",),
    ),
    Mutant(
        "other interpreters with a GIL of their own are refused",
        "_native/module.c",
        "    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},\n",
        "    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},\n",
        ("native/test_soundness.py::test_subinterpreters_each_have_their_own",),
        needs="Python 3.13",
    ),
]

RUNS_ONCE = "cells/test_exclusive.py::test_the_initializer_runs_once_and_all_get_its_object[{{}}-{}]"

#: Where the surfaces ask a chosen cell.
CHOSEN = [
    Mutant(
        "a once function fills a chosen cell as one that races",
        "_native/once.c",
        "            if (flags & IS_CHOSEN) {",
        "            if (flags & IS_FOREIGN) {",
        (RUNS_ONCE.format("once_function"),),
        hangs=True,
    ),
    Mutant(
        "a once method fills a chosen cell as one that races",
        "_native/once.c",
        "    if (!is_usual || self->flags & IS_CHOSEN) {\n",
        "    if (!is_usual || self->flags & IS_FOREIGN) {\n",
        (RUNS_ONCE.format("once_method"),),
        hangs=True,
    ),
    Mutant(
        "a once class method fills a chosen cell as one that races",
        "_native/once.c",
        "if (self->flags & IS_CHOSEN) {\n            value = once_value_in_python",
        "if (self->flags & IS_FOREIGN) {\n            value = once_value_in_python",
        (RUNS_ONCE.format("once_above_classmethod"),),
        hangs=True,
    ),
    Mutant(
        "a property fills a chosen cell as one that races",
        "_native/property.c",
        "    if (is_chosen) {\n",
        "    if (is_chosen && key == NULL) {\n",
        (RUNS_ONCE.format("property_in_dict"), RUNS_ONCE.format("property_in_slot")),
        hangs=True,
    ),
    Mutant(
        "a cell of another kind is filled as one that races",
        "_native/cell.c",
        "if (state == NULL || Py_TYPE(self) == state->cell_type) {",
        "if (state == NULL || Py_TYPE(self) != NULL) {",
        (RUNS_ONCE.format("cell"),),
        hangs=True,
    ),
    Mutant(
        "a cell that is none of ours is read as ours",
        "_native/once.c",
        "            flags |= is_ours ? 0 : IS_FOREIGN;\n",
        "            (void)is_ours;\n",
        ("storage/test_cell_option.py::test_a_function_has_one_cell_of_the_kind_that_was_chosen[{}-one's own]",),
    ),
    Mutant(
        "a cell that gives its value in its own way is read as ours",
        "_native/once.c",
        "found = found > 0 ? method == ours : found;",
        "found = found > 0 ? 1 : found;",
        ("storage/test_cell_option.py::test_a_cell_with_its_own_way_to_give_a_value_is_asked_each_time[{}]",),
    ),
    Mutant(
        "an async property in a slot, with a chosen cell, gives the bare value",
        "_native/property.c",
        "LOAD(&self->is_async) != Py_True) {\n        Place place",
        "LOAD(&self->is_async) != NULL) {\n        Place place",
        (
            "cells/test_exclusive_async.py::test_one_task_initializes_and_the_others_wait_without_blocking[{}-async_property_in_slot]",
        ),
    ),
    Mutant(
        "what a child inherits is not kept",
        "_native/cell.c",
        "    (void)Py_NewRef(value);\n    Py_RETURN_NONE;",
        "    (void)value;\n    Py_RETURN_NONE;",
        ("cells/test_per_process_finalizers.py::test_what_is_kept_has_a_reference_too_many[{}]",),
    ),
]

MUTANTS = [*CHOSEN, *ONCE, *ATTRIBUTES, *PROPERTY_CLASSES, *PROPERTY, *GLOBAL, *MODULE]
