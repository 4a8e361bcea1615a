"""Mistakes in `once_per_args` and its tables, in Python and in C."""

from __future__ import annotations

from mutant import BETWEEN, BYTECODE, GIL, LOSERS, NONE, Mutant

OURS = "surfaces/test_once_per_args"
EQUALITY = "surfaces/test_once_per_args_equality.py::test_"
TABLE = "native/test_table.py::test_"

PYTHON = [
    Mutant(
        "what is imported into the cell of a key does not keep the cell",
        "_storage/keyed_cell_option.py",
        "        return self._fill_by(self._cell.import_attr, module, attr)\n",
        "        return self._cell.import_attr(module, attr)\n",
        (OURS + "_cell_option.py::test_what_is_imported_into_the_cell_of_a_key_is_the_value_of_calls[{}]",),
    ),
    Mutant(
        "a table forgets a cell that is full",
        "_storage/keyed.py",
        "                self.pins[id(node)] = node\n                if front",
        "                if front",
        (OURS + "_cells.py::test_the_cell_is_the_one_that_calls_use[make_function-{}-instance]",),
        also=(("            table.pins[id(self)] = self\n", "            pass\n"),),
    ),
    Mutant(
        "a table keeps a cell that is empty",
        "_storage/keyed.py",
        "                self.pins.pop(id(node), None)\n",
        "                pass\n",
        (OURS + "_cells.py::test_an_empty_cell_leaves_nothing_behind[make_function-{}]",),
    ),
    Mutant(
        "an error of comparing with a plain key is swallowed once",
        "_surfaces/binding.py",
        "tb_next is not None and",
        "tb_next is None and",
        (EQUALITY + "an_error_of_comparing_with_a_plain_key_arrives_at_once[{}-KeyError-function_of_one]",),
    ),
    Mutant(
        "a TypeError of comparing is taken for one of hashing",
        "_surfaces/binding.py",
        "return not isinstance(error, TypeError) or is_hashable(key)",
        "return not isinstance(error, TypeError)",
        (EQUALITY + "an_error_of_comparing_with_a_plain_key_arrives_at_once[{}-TypeError-function_of_one]",),
    ),
    Mutant(
        "a cell that a finalizer brings back has a value of its own",
        "_storage/keyed.py",
        "    if node._reference() is node:\n",
        "    if True:\n",
        (EQUALITY + "a_cell_that_comes_back_has_the_value_of_its_key[{}-GILOnceCell-plain key-function_of_one]",),
    ),
    Mutant(
        "a key is added to a version that others have added to",
        "_storage/keyed.py",
        '            if version.later.setdefault("next", later) is later:\n                return added',
        '            version.later["next"] = later\n            return added',
        (BETWEEN.format("args_key_with_eq: touch | touch"),),
    ),
    Mutant(
        "keys are compared again in one search",
        "_storage/keyed.py",
        "                    compared.append(node)\n",
        "                    pass\n",
        (OURS + "_comparing.py::test_a_search_that_is_always_disturbed_ends[{}]",),
        hangs=True,
    ),
    Mutant(
        "dead keys stay in their chain",
        "_storage/keyed.py",
        "        chain.drop_dead()",
        "        pass",
        (OURS + "_comparing.py::test_a_chain_drops_the_keys_that_are_gone[{}]",),
    ),
    Mutant(
        "a cell per thread stays in its table for ever",
        "_storage/keyed_cell_option.py",
        'bool(cell._is_set_anywhere()) if hasattr(type(cell), "_is_set_anywhere") else self._had_value',
        "self._had_value",
        (OURS + "_cell_option.py::test_thread_cells_are_forgotten_when_no_thread_has_a_value[{}]",),
    ),
    Mutant(
        "a copy shares the original's table",
        "_storage/keyed.py",
        "        return mine is owner or (mine is not None and",
        "        return mine is owner or (True or mine is not None and",
        (OURS + "_copies.py::test_a_copy_takes_the_values_along_and_shares_nothing[{}-copy]",),
    ),
    Mutant(
        "whose a table is, only an id tells",
        "_storage/keyed.py",
        "(mine is not None and type(namespace) is dict and self.place == id(namespace))",
        "self.place == id(namespace)",
        (OURS + "_copies.py::test_a_table_whose_owner_is_gone_is_nobodys[{}]",),
    ),
    Mutant(
        "the instance is a part of the key",
        "_surfaces/binding.py",
        "            keyed = keyed[1:]\n",
        "            pass\n",
        (OURS + "_owners.py::test_a_method_has_values_per_instance[{}]",),
    ),
    Mutant(
        "keyword arguments make a key in the order of the call",
        "_surfaces/binding.py",
        "    return tuple(sorted(keywords.items(), key=_first))",
        "    return tuple(keywords.items())",
        (OURS + ".py::test_arguments_of_any_number_are_a_key[{}]",),
    ),
    Mutant(
        "a function is called by the signature of the function behind it",
        "_surfaces/once_per_args.py",
        "        is_called_as_shown(once._function)\n",
        "        type(once._function) is FunctionType\n",
        (OURS + ".py::test_a_function_with_the_signature_of_another_is_called_as_the_call_is_written[{}]",),
    ),
    Mutant(
        "a method under a property keeps its instances alive",
        "_surfaces/disguise.py",
        '("fget", "func", "__func__", "__wrapped__")',
        '("func", "__func__", "__wrapped__")',
        (OURS + "_owners.py::test_a_method_under_a_property_has_values_per_instance[{}]",),
    ),
    Mutant(
        "a deadlock does not name the arguments",
        "_surfaces/once_per_args.py",
        "        shown = [shorten(argument) for argument in self._args[self._hidden :]]",
        "        shown = []",
        (OURS + "_cell_option.py::test_a_deadlock_names_arguments_whose_repr_is_long_or_fails[{}]",),
    ),
]

C = [
    Mutant(
        "in a table, None is taken for empty",
        "_native/keyed.c",
        "        int found = entry->value != NULL && !even_if_full;",
        "        int found = entry->value != NULL && entry->value != Py_None && !even_if_full;",
        (NONE.format("args_key_with_eq"),),
    ),
    Mutant(
        "a table overwrites",
        "_native/keyed.c",
        "    if (entry->value != NULL) {\n        return 0;\n    }\n    incref_for_field(value);",
        "    incref_for_field(value);",
        (LOSERS.format("args_function"),),
    ),
    Mutant(
        "a search does not look whether keys were added meanwhile",
        "_native/keyed.c",
        "    if (query->left < 0 || self->changes != query->changes) {",
        "    if (query->left < 0) {",
        (OURS + "_comparing.py::test_a_key_that_is_added_while_others_are_compared_is_found[{}]",),
    ),
    Mutant(
        "a key that was equal is forgotten when a later one is not",
        "_native/query.c",
        "    return equal < 0 || PyList_Append(query->compared, key) < 0 ? -1 : 0;",
        "    query->equals = 0;\n    return equal < 0 || PyList_Append(query->compared, key) < 0 ? -1 : 0;",
        (OURS + "_comparing.py::test_a_key_that_was_equal_is_found_wherever_it_moves[{}-1-0]",),
    ),
    Mutant(
        "only the last key that was equal is remembered",
        "_native/query.c",
        "PyList_Insert(query->compared, query->equals++, key)",
        "PyList_Insert(query->compared, (query->equals = 1) - 1, key)",
        (OURS + "_comparing.py::test_every_key_that_was_equal_is_known_to_be[{}]",),
    ),
    Mutant(
        "users are not counted in a new array",
        "_native/keyed.c",
        "            *array_users(array, moved) = *array_users(old, entry);\n",
        "",
        (TABLE + "the_users_of_a_key_are_counted_while_the_table_grows[initializer]",),
    ),
    Mutant(
        "an entry is written where it was found, not where it is",
        "_native/keyed.c",
        "position < array->size && array->entries[position].key == key;",
        "position < array->size;",
        (TABLE + "the_users_of_a_key_are_counted_while_the_table_grows[initializer]",),
    ),
    Mutant(
        "a table grows by doubling",
        "_native/keyed.c",
        "(((size) & ((size) - 1)) == 0 ? (size) / 2 * 3 : (size) / 3 * 4)",
        "((size) * 2)",
        (TABLE + "a_key_needs_little_more_memory_than_in_a_dict[str]",),
        needs=GIL,
    ),
    Mutant(
        "an entry that is in use is removed",
        "_native/keyed.c",
        "    if (*array_users(self->array, entry) > 0 || entry->value != NULL) {",
        "    if (entry->value != NULL) {",
        (OURS + "_cells.py::test_a_running_initializer_keeps_its_cell_when_another_fails[{}-instance]",),
    ),
    Mutant(
        "a failed initializer leaves its entry",
        "_native/once_per_args.c",
        "        Py_XDECREF(table_leave(table, query, key, NULL));\n        PyErr_Restore(type, error, traceback);",
        "        PyErr_Restore(type, error, traceback);",
        (OURS + "_cells.py::test_an_initializer_that_fails_leaves_nothing_behind[{}]",),
    ),
    Mutant(
        "threads may switch between the call and the write",
        "_native/once_per_args.c",
        "    published = table_leave(table, query, key, value);\n".replace("    published", "    PyObject *published"),
        "    " + BYTECODE + "    PyObject *published = table_leave(table, query, key, value);\n",
        (OURS + "_races.py::test_a_function_in_c_runs_once_for_each_key[{}-options0]",),
        needs=GIL,
    ),
    Mutant(
        "a default is left out of the key",
        "_native/once_per_args.c",
        "            parts[i] = PyTuple_GET_ITEM(self->defaults, i);",
        "            parts[i] = PyTuple_GET_ITEM(self->defaults, i) == self->empty ? self->empty : Py_None;",
        (OURS + ".py::test_the_same_arguments_are_one_key_however_they_are_spelled[{}]",),
    ),
    Mutant(
        "a copy uses the original's table",
        "_native/once_per_args.c",
        "                is_own = referent == owner;",
        "                is_own = referent != NULL;",
        (OURS + "_copies.py::test_a_copy_takes_the_values_along_and_shares_nothing[{}-copy]",),
    ),
]
