"""Mistakes in the Python implementation, room by room."""

from __future__ import annotations

from mutant import Mutant

LAWS = "test_laws.py::test_"
ONE_OBJECT = LAWS + "threads_that_are_all_inside_the_initializer_get_one_object[{{}}-{}]"
NONE = LAWS + "none_is_a_value[{{}}-{}]"
NO_WAITING = LAWS + "a_thread_in_the_initializer_keeps_nobody_waiting[{{}}-{}]"
FAILURE = LAWS + "a_failure_reaches_its_caller_unchanged_and_the_next_call_tries_again[{{}}-{}-ValueError]"
ATTRIBUTE_ERROR = LAWS + "an_attribute_error_of_the_initializer_is_not_taken_for_a_missing_attribute[{{}}-{}]"
LOSERS = LAWS + "every_loser_is_discarded_once_and_the_winner_never[{{}}-{}]"
SHARED = LAWS + "a_loser_that_is_the_winner_is_not_discarded[{{}}-{}]"
REENTRY = LAWS + "an_initializer_may_reach_its_own_cell_and_the_first_write_wins[{{}}-{}]"

CELL = [
    Mutant(
        "the last write to a cell wins",
        "_cell.py",
        'published = self._values.setdefault("value", box)',
        'published = self._values["value"] = box',
        (ONE_OBJECT.format("cell"),),
    ),
    Mutant(
        "check and write of a cell are two steps",
        "_cell.py",
        'published = self._values.setdefault("value", box)',
        'published = self._values.get("value") or box\n        self._values["value"] = published',
        ("test_cell.py::test_of_threads_that_set_one_object_exactly_one_succeeds[{}-shared]",),
    ),
    Mutant(
        "who wrote a cell is told by the value and not by the write",
        "_cell.py",
        "return published[0], published is box",
        "return published[0], published[0] is value",
        ("test_cell.py::test_setting_the_same_object_twice_is_an_error_too[{}]",),
    ),
    Mutant(
        "a loser is given its own value",
        "_cell.py",
        "            dispose(self._discard, value)\n",
        "            dispose(self._discard, value)\n            return value\n",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "the winner is discarded",
        "_cell.py",
        "dispose(self._discard, value)\n",
        "dispose(self._discard, published)\n",
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "a loser that is the winner is discarded",
        "_cell.py",
        "if published is not value and self._discard is not None:\n            dispose(",
        "if self._discard is not None:\n            dispose(",
        (SHARED.format("cell"),),
    ),
    Mutant(
        "a loser is dropped and not discarded",
        "_cell.py",
        "            dispose(self._discard, value)\n",
        "            pass\n",
        (LOSERS.format("cell"),),
    ),
    Mutant(
        "an exception from discard is swallowed",
        "_cell.py",
        "        report_unraisable(error, discard)",
        "        pass",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "an exception from discard reaches the caller",
        "_cell.py",
        "        report_unraisable(error, discard)",
        "        raise",
        (LAWS + "an_exception_from_discard_is_unraisable_and_the_caller_gets_the_value[{}-cell-ValueError]",),
    ),
    Mutant(
        "a lock is held while the initializer runs",
        "_cell.py",
        "value = initializer()\n",
        "import threading\n\n"
        '        with self._values.setdefault("lock", threading.RLock()):\n'
        "            value = initializer()\n",
        (NO_WAITING.format("cell"),),
        hangs=True,
    ),
    Mutant(
        "tasks wait for each other at a lock",
        "_cell.py",
        "value = await initializer()\n",
        "import asyncio\n\n"
        '        async with self._values.setdefault("lock", asyncio.Lock()):\n'
        "            value = await initializer()\n",
        ("test_cell.py::test_tasks_of_one_loop_share_a_value_and_never_wait_for_each_other[{}]",),
        hangs=True,
    ),
    Mutant(
        "an exception is cached",
        "_cell.py",
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
        "_cell.py",
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
        "_cell.py",
        "value = initializer()\n",
        "try:\n            value = initializer()\n        except AttributeError:\n            value = None\n",
        (ATTRIBUTE_ERROR.format("cell"),),
    ),
    Mutant(
        "a failure is wrapped",
        "_cell.py",
        "value = initializer()\n",
        "try:\n"
        "            value = initializer()\n"
        "        except Exception as error:\n"
        '            raise RuntimeError("the initializer failed") from error\n',
        (FAILURE.format("cell"),),
    ),
    Mutant(
        "None is taken for empty",
        "_cell.py",
        'box = self._values.get("value")\n        return EMPTY if box is None else box[0]',
        'box = self._values.get("value")\n        return EMPTY if box is None or box[0] is None else box[0]',
        (NONE.format("cell"),),
    ),
    Mutant(
        "take() takes None for empty",
        "_cell.py",
        'box = self._values.pop("value", None)\n        return EMPTY if box is None else box[0]',
        'box = self._values.pop("value", None)\n        return EMPTY if box is None or box[0] is None else box[0]',
        ("test_cell.py::test_a_value_that_is_none_is_not_taken_for_empty[{}]",),
    ),
    Mutant(
        "take() leaves the value where it is",
        "_cell.py",
        'self._values.pop("value", None)',
        'self._values.get("value")',
        ("test_cell.py::test_of_threads_that_take_exactly_one_has_the_value[{}]",),
    ),
    Mutant(
        "take() looks first and removes then",
        "_cell.py",
        'box = self._values.pop("value", None)\n',
        'box = self._values.get("value")\n'
        '        [None for _ in range(9)]\n'
        '        self._values.pop("value", None)\n',
        ("test_cell.py::test_of_threads_that_take_exactly_one_has_the_value[{}]",),
    ),
    Mutant(
        "set() on a full cell does nothing",
        "_cell.py",
        "if not written:",
        "if False:",
        ("test_cell.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "set() discards what it rejects",
        "_cell.py",
        "            raise AlreadySetError(\n",
        "            if self._discard is not None:\n"
        "                dispose(self._discard, value)\n"
        "            raise AlreadySetError(\n",
        ("test_cell.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "the error of set() carries the value that is there",
        "_cell.py",
        "or empty the cell with take() first; the rejected object is this error's .value\",\n                value,",
        "or empty the cell with take() first; the rejected object is this error's .value\",\n                published,",
        ("test_cell.py::test_a_rejected_object_comes_back_in_the_error[{}]",),
    ),
    Mutant(
        "a full cell takes anything for an initializer",
        "_cell.py",
        "    if not callable(initializer):\n",
        "    if initializer is None:\n",
        ("test_cell.py::test_what_cannot_be_called_is_refused_even_by_a_full_cell[{}-3]",),
    ),
    Mutant(
        "a copy shares its place with the original",
        "_cell.py",
        "    def __getstate__(self)",
        "    def __copy__(self) -> GILOnceCell:\n"
        "        copied = type(self)(discard=self._discard)\n"
        "        copied._values = self._values\n"
        "        return copied\n\n"
        "    def __getstate__(self)",
        ("test_cell.py::test_copies_are_cells_of_their_own[{}]",),
    ),
    Mutant(
        "deepcopy shares the value with the original",
        "_cell.py",
        "deepcopy(held, memo)",
        "held",
        ("test_cell.py::test_copies_are_cells_of_their_own[{}]",),
    ),
    Mutant(
        "a pickled cell comes back empty where it held None",
        "_cell.py",
        "held = () if value is EMPTY else (value,)",
        "held = () if value is EMPTY or value is None else (value,)",
        ("test_cell.py::test_pickling_keeps_the_value_or_that_there_is_none[{}-2]",),
    ),
    Mutant(
        "the last of several tasks wins",
        "_cell.py",
        "value = await initializer()\n",
        "value = await initializer()\n        self._clear()\n",
        ("test_cell.py::test_tasks_of_one_loop_share_a_value_and_never_wait_for_each_other[{}]",),
    ),
    Mutant(
        "a loser among tasks is not discarded",
        "_cell.py",
        "discarding: Any = self._discard(value)",
        "discarding: Any = None",
        (LOSERS.format("async_cell"),),
    ),
    Mutant(
        "the winner among tasks is discarded",
        "_cell.py",
        "discarding: Any = self._discard(value)",
        "discarding: Any = self._discard(published)",
        (LOSERS.format("async_cell"),),
    ),
    Mutant(
        "an awaitable from discard is not awaited",
        "_cell.py",
        "if must_wait:",
        "if False:",
        ("test_cell.py::test_an_awaitable_from_discard_is_awaited[{}]",),
    ),
    Mutant(
        "a cancellation is swallowed while discarding",
        "_cell.py",
        "await discarding\n                except Exception as error:",
        "await discarding\n                except BaseException as error:",
        ("test_cell.py::test_a_cancellation_while_discarding_is_the_tasks_own[{}]",),
    ),
    Mutant(
        "a lock is held while importing",
        "_cell.py",
        "        return self.get_or_init(import_statement)",
        "        import threading\n\n"
        '        with self._values.setdefault("lock", threading.Lock()):\n'
        "            return self.get_or_init(import_statement)",
        ("test_cell.py::test_importing_runs_outside_of_any_lock_of_ours[{}]",),
        also=(
            (
                "value = initializer()\n",
                "import threading\n\n"
                '        with self._values.setdefault("lock 2", threading.RLock()):\n'
                "            value = initializer()\n",
            ),
        ),
        hangs=True,
    ),
]

PLACES = [
    Mutant(
        "definitions of one qualified name share a key",
        "_bound.py",
        'if "<" not in key and _keys.setdefault(key, mine) is mine:',
        "if mine:",
        (
            "test_once.py::test_definitions_that_share_a_qualified_name_share_no_value[{}]",
            "test_once.py::test_two_definitions_of_one_module_level_name_share_no_value[{}]",
        ),
    ),
    Mutant(
        "a second definition of a module-level name shares the key of the first",
        "_bound.py",
        '_keys.setdefault(key, mine) is mine:',
        "_keys.setdefault(key, mine):",
        ("test_once.py::test_two_definitions_of_one_module_level_name_share_no_value[{}]",),
    ),
    Mutant(
        "the key is the function's __name__",
        "_bound.py",
        'self.key = _unique_key(f"{module}.{name}")',
        'self.key = getattr(function, "__name__", name)',
        ("test_once.py::test_an_override_that_calls_super_has_a_value_of_its_own[{}]",),
    ),
    Mutant(
        "a key means nothing in another process",
        "_bound.py",
        'module = "__main__" if module == "__mp_main__" else module',
        "",
        ("test_once.py::test_an_instance_takes_its_values_to_a_spawned_process[{}]",),
    ),
    Mutant(
        "the last write to an instance or a class wins",
        "_bound.py",
        "published = self._namespace.setdefault(self._key, value)",
        "published = self._namespace[self._key] = value",
        (ONE_OBJECT.format("property_in_dict"), ONE_OBJECT.format("once_below_classmethod")),
    ),
    Mutant(
        "check and write of an instance are two steps",
        "_bound.py",
        "published = self._namespace.setdefault(self._key, value)",
        "published = value if before is EMPTY else before\n        self._namespace[self._key] = published",
        ("test_bound.py::test_many_threads_publish_one_value_to_any_place[{}-instance]",),
    ),
    Mutant(
        "None in an instance or a class is taken for empty",
        "_bound.py",
        "return self._namespace.get(self._key, EMPTY)",
        "value = self._namespace.get(self._key, EMPTY)\n        return EMPTY if value is None else value",
        (NONE.format("once_method"), NONE.format("property_of_class")),
    ),
    Mutant(
        "an instance keeps a cell, which copies share",
        "_bound.py",
        "        return self.cell_in_dict(owner, self.key)\n",
        "        shared: Any = self.namespace_of(owner).setdefault(self.key, GILOnceCell(discard=self.discard))\n"
        "        return shared\n",
        ("test_once.py::test_copies_of_an_instance_carry_its_value_and_nothing_shared[{}]",),
    ),
    Mutant(
        "the copy of a view forgets the value",
        "_bound.py",
        "            cell._publish(value)\n",
        "            pass\n",
        ("test_once.py::test_the_cell_of_a_bound_method_is_a_view_of_its_owner[{}-instance]",),
    ),
    Mutant(
        "a subclass uses the values of its base",
        "_bound.py",
        "values = cls.__dict__.get(_ATTRIBUTE)\n"
        "    return values if type(values) is ClassValues and values.owner() is cls else None",
        "values = getattr(cls, _ATTRIBUTE, None)\n    return values if type(values) is ClassValues else None",
        (
            "test_once.py::test_a_class_method_has_one_value_per_class[{}-True]",
            "test_property.py::test_a_classmethod_is_a_lazy_class_attribute[{}]",
        ),
    ),
    Mutant(
        "a class that is made anew takes over the values of the first",
        "_bound.py",
        "type(values) is ClassValues and values.owner() is cls else None",
        "type(values) is ClassValues else None",
        ("test_once.py::test_a_class_that_is_made_anew_takes_no_values_from_the_first[{}]",),
    ),
    Mutant(
        "the values of a class are made without a claim",
        "_bound.py",
        "claim = _new_values.setdefault(key, claim)",
        "_new_values.setdefault(key, claim)",
        ("test_bound.py::test_many_threads_publish_one_value_to_any_place[{}-class]",),
    ),
    Mutant(
        "the claim on a class is never dropped",
        "_bound.py",
        "        if _new_values.get(key) is claim:\n            _new_values.pop(key, None)\n",
        "",
        ("test_once.py::test_a_base_class_keeps_no_subclass_alive[{}-once(classmethod(me))]",),
    ),
    Mutant(
        "a slot is checked and written outside of a claim",
        "_bound.py",
        "                if claims[key] is claim:\n",
        "                if claim:\n",
        ("test_bound.py::test_a_claim_that_was_taken_or_assigned_over_is_not_written_any_more[{}-assign]",),
    ),
    Mutant(
        "a slot is written without a claim",
        "_bound.py",
        "            mine = claim = Claim(self._owner, value)\n",
        "            if self._read() is EMPTY:\n"
        "                self._member.__set__(self._owner, value)\n"
        "                return value, True\n"
        "            mine = claim = Claim(self._owner, value)\n",
        ("test_bound.py::test_of_two_that_publish_at_once_both_have_the_value_of_one[{}]",),
    ),
    Mutant(
        "the claim on a slot is dropped before the write",
        "_bound.py",
        "                    claim.is_written = True\n                    write(owner, value)",
        "                    claim.is_written = True\n"
        "                    claims.pop(key, None)\n"
        "                    write(owner, value)",
        ("test_bound.py::test_nobody_waits_for_the_write_of_a_claim[{}]",),
        hangs=True,  # the test's own thread, for the others fail
    ),
    Mutant(
        "the claim on a slot is never dropped",
        "_bound.py",
        "        if claims.get(key) is claim:\n            claims.pop(key, None)\n        return",
        "        return",
        ("test_bound.py::test_a_claim_that_came_too_late_decides_nothing[{}]",),
    ),
    Mutant(
        "who meets a claim on a slot waits for the write",
        "_bound.py",
        "        return self._finish(claim)\n\n    def _publish(",
        "        while self._claims.get(id(self._owner)) is claim:\n"
        "            pass\n"
        "        return self._read()\n\n    def _publish(",
        ("test_bound.py::test_nobody_waits_for_the_write_of_a_claim[{}]",),
        hangs=True,
    ),
    Mutant(
        "a slot that was written meanwhile is written again",
        "_bound.py",
        "if value is not EMPTY and self._read() is EMPTY:",
        "if value is not EMPTY:",
        ("test_bound.py::test_a_claim_that_came_too_late_decides_nothing[{}]",),
    ),
    Mutant(
        "None in a slot is taken for empty",
        "_bound.py",
        "            return self._member.__get__(self._owner)\n",
        "            value = self._member.__get__(self._owner)\n            return EMPTY if value is None else value\n",
        (NONE.format("property_in_slot"),),
        hangs=True,  # who publishes None tries for ever
    ),
    Mutant(
        "take() deletes from a slot what it has not seen",
        "_bound.py",
        "if value is not EMPTY and claims[key] is mine:",
        "if value is not EMPTY:",
        ("test_bound.py::test_a_take_removes_only_what_it_returns[{}-assign]",),
    ),
    Mutant(
        "an assignment to a slot overlooks the claim of another",
        "_bound.py",
        "            if key not in claims:\n",
        "            if claims is not None:\n",
        ("test_bound.py::test_a_claim_that_was_taken_or_assigned_over_is_not_written_any_more[{}-assign]",),
    ),
]

ONCE = [
    Mutant(
        "a method has one value for all instances",
        "_once.py",
        "return BoundOnce(self, instance)",
        "return BoundOnce(self, owner)",
        ("test_once.py::test_a_method_has_one_value_per_instance[{}]",),
    ),
    Mutant(
        "a method keeps its values beside the function",
        "_once.py",
        "return self._ask(self._definition.cell_of(owner), MethodType(self._function, owner))",
        'cells = self.__dict__.setdefault("cells", {})\n'
        "        cell = cells.setdefault(id(owner), (owner, GILOnceCell()))[1]\n"
        "        return self._ask(cell, MethodType(self._function, owner))",
        (
            "test_once.py::test_nothing_keeps_an_instance_alive[{}]",
            "test_once.py::test_copies_of_an_instance_carry_its_value_and_nothing_shared[{}]",
        ),
    ),
    Mutant(
        "a class method has one value for all classes",
        "_once.py",
        "return BoundOnce(self, type(instance) if owner is None else owner)",
        "return BoundOnce(self, (type(instance) if owner is None else owner).__mro__[-2])",
        ("test_once.py::test_a_class_method_has_one_value_per_class[{}-True]",),
    ),
    Mutant(
        "a once function forgets its discard",
        "_once.py",
        "None if self._needs_owner else GILOnceCell(discard=discard)",
        "None if self._needs_owner else GILOnceCell()",
        (LOSERS.format("once_function"),),
    ),
    Mutant(
        "a once method forgets its discard",
        "_once.py",
        "return Definition(function, discard, _ADVICE)",
        "return Definition(function, None, _ADVICE)",
        (LOSERS.format("once_method"),),
    ),
    Mutant(
        "the coroutine of a coroutine function is its value",
        "_once.py",
        "if not self._is_async:",
        "if self._is_async is not None:",
        ("test_once.py::test_every_call_of_a_coroutine_function_returns_a_coroutine_with_the_one_value[{}]",),
    ),
    Mutant(
        "arguments of a once function are ignored",
        "_once.py",
        "if not args and not kwargs and not self._needs_owner:",
        "if not self._needs_owner:",
        ("test_once.py::test_an_argument_beyond_the_instance_is_refused_by_name[{}]",),
    ),
    Mutant(
        "a generator function is taken",
        "_once.py",
        "if is_generator_function(function):",
        "if function is None:",
        ("test_once.py::test_generator_functions_are_refused[{}]",),
    ),
    Mutant(
        "a once function is pickled with its value",
        "_once.py",
        "        return self.__qualname__",
        "        return dict, ()",
        ("test_once.py::test_functions_and_methods_are_pickled_by_name[{}]",),
    ),
]

PROPERTY = [
    Mutant(
        "a base publishes under the derived name",
        "_property.py",
        "key = name if found is self else self._definition.key",
        "key = name",
        ("test_property.py::test_an_override_that_calls_super_keeps_both_values_apart[{}]",),
    ),
    Mutant(
        "overridden properties of one name share a key",
        "_property.py",
        "key = name if found is self else self._definition.key",
        'key = name if found is self else f"_{name}"',
        ("test_property.py::test_three_levels_and_a_diamond_each_keep_their_own[{}]",),
    ),
    Mutant(
        "an attribute error of a lazy attribute is swallowed",
        "_property.py",
        "return Awaiting(cell, initializer) if self._is_async else cell.get_or_init(initializer)",
        "try:\n"
        "            return Awaiting(cell, initializer) if self._is_async else cell.get_or_init(initializer)\n"
        "        except AttributeError:\n"
        "            return None",
        (ATTRIBUTE_ERROR.format("property_in_dict"), ATTRIBUTE_ERROR.format("property_in_slot")),
    ),
    Mutant(
        "a property forgets its discard",
        "_property.py",
        "self._definition = Definition(self.func, discard, advice)",
        "self._definition = Definition(self.func, None, advice)",
        (LOSERS.format("property_in_slot"),),
    ),
    Mutant(
        "a static property forgets its discard",
        "_property.py",
        "self._cell = GILOnceCell(discard=discard)",
        "self._cell = GILOnceCell()",
        (LOSERS.format("static_property"),),
    ),
    Mutant(
        "a copy of a property shares the definition",
        "_property.py",
        'own = {"_cell", "_definition"}',
        'own = {"_cell"}',
        ("test_property.py::test_a_copy_of_the_descriptor_has_values_of_its_own[{}-plain-copy]",),
    ),
    Mutant(
        "a copy of a static property shares the cell",
        "_property.py",
        'own = {"_cell", "_definition"}',
        'own = {"_definition"}',
        ("test_property.py::test_a_copy_of_the_descriptor_has_values_of_its_own[{}-static-copy]",),
    ),
    Mutant(
        "two properties share a slot unnoticed",
        "_property.py",
        "            self._check_alone(cls, member)\n",
        "",
        ("test_property.py::test_two_properties_on_one_slot_are_a_type_error[{}-one class]",),
    ),
    Mutant(
        "an assignment to a slot is lost once there is a value",
        "_property.py",
        "cell.assign(value)",
        "cell._publish(value)",
        ("test_property.py::test_a_slot_holds_the_value_instead[{}]",),
    ),
    Mutant(
        "to delete what is not there is no error",
        "_property.py",
        "if self._cell_of(instance).take(EMPTY) is EMPTY:",
        "if self._cell_of(instance).take(EMPTY) is None:",
        ("test_property.py::test_a_slot_holds_the_value_instead[{}]",),
    ),
    Mutant(
        "a property keeps the classes alive of which it knows the slot",
        "_property.py",
        "            values[self._definition.key] = member\n",
        "            values[self._definition.key] = member\n"
        '            self.__dict__.setdefault("_members", {})[cls] = member\n',
        ("test_property.py::test_a_base_class_keeps_no_subclass_alive[{}]",),
    ),
    Mutant(
        "a lazy class attribute has one value for all subclasses",
        "_property.py",
        "return self._ask(self._definition.cell_of(cls), MethodType(self.func, cls))",
        "cls = cls.__mro__[-2]\n"
        "        return self._ask(self._definition.cell_of(cls), MethodType(self.func, cls))",
        ("test_property.py::test_a_classmethod_is_a_lazy_class_attribute[{}]",),
    ),
    Mutant(
        "an async property is awaited once",
        "_property.py",
        "return self._cell.aget_or_init(self._initializer).__await__()",
        "return self._begun().__await__()",
        ("test_property.py::test_an_async_property_is_awaited_as_often_as_one_likes[{}]",),
    ),
]

GLOBAL = [
    Mutant(
        "an attribute error of a factory is taken for a missing attribute",
        "_proxy.py",
        "            raise RuntimeError(\n",
        "            raise error\n            raise RuntimeError(\n",
        (
            "test_global.py::test_a_factory_that_raises_attribute_error_is_not_taken_for_a_missing_attribute[{}]",
        ),
    ),
    Mutant(
        "a lazy global keeps what its own thread made",
        "_proxy.py",
        "value = cell.get_or_init(factory)",
        "value = factory()\n            cell.get_or_init(lambda: value)",
        (ONE_OBJECT.format("proxy"), ONE_OBJECT.format("reified_global")),
    ),
    Mutant(
        "a lazy global forgets its discard",
        "_global.py",
        "GILOnceCell() if discard is None else GILOnceCell(discard=discard)",
        "GILOnceCell()",
        (LOSERS.format("proxy"),),
    ),
    Mutant(
        "a name that was rebound is replaced",
        "_proxy.py",
        "if bound is proxy and name in namespace and namespace[name] is proxy:",
        "if bound is proxy:",
        ("test_global.py::test_a_name_rebound_while_names_are_replaced_is_left_alone[{}]",),
    ),
    Mutant(
        "every lazy global of the module is replaced",
        "_proxy.py",
        "if bound is proxy and name in namespace and namespace[name] is proxy:",
        "if type(bound) is type(proxy):",
        ("test_global.py::test_another_lazy_global_of_the_module_stays_untouched[{}]",),
    ),
    Mutant(
        "names are replaced in the module itself while it is looped over",
        "_proxy.py",
        "namespace.copy().items()",
        "namespace.items()",
        ("test_global.py::test_a_module_may_grow_while_names_are_replaced[{}]",),
    ),
    Mutant(
        "a name is never replaced",
        "_proxy.py",
        "if namespace is not None and cell.final:",
        "if namespace is None and cell.final:",
        ("test_global.py::test_the_first_touch_replaces_the_name_in_its_module[{}]",),
    ),
    Mutant(
        "a value that is not final replaces the name",
        "_proxy.py",
        "if namespace is not None and cell.final:",
        "if namespace is not None:",
        ("test_global.py::test_a_cell_that_is_not_final_is_not_kept_elsewhere[{}]",),
    ),
    Mutant(
        "a proxy made in a function replaces names",
        "_global.py",
        "if not frame.f_code.co_flags & CO_OPTIMIZED and frame.f_locals is frame.f_globals:",
        "if frame:",
        (
            "test_global.py::test_a_proxy_that_is_not_made_at_module_level_stays"
            "[{}-X = (lambda: lazy_global(lambda: [1]))()]",
        ),
    ),
    Mutant(
        "an in-place operator changes the proxy that others hold",
        "_proxy.py",
        "        return operate(self.__wrapped__, other)\n",
        "        self.__wrapped__ = operate(self.__wrapped__, other)\n        return self\n",
        ("test_global.py::test_an_in_place_operator_on_a_number_leaves_the_proxy_that_others_hold[{}-add]",),
    ),
    Mutant(
        "repr touches",
        "_proxy.py",
        "if self._self_is_made or self._self_cell.is_set():",
        "if self.__wrapped__ is self.__wrapped__:",
        ("test_global.py::test_repr_of_an_untouched_proxy_names_the_factory_and_runs_nothing[{}]",),
    ),
    Mutant(
        "a copy of a proxy is the proxy",
        "_proxy.py",
        "return copy.copy(self.__wrapped__)",
        "return self",
        ("test_global.py::test_a_copy_and_a_pickle_are_the_real_objects[{}]",),
    ),
    Mutant(
        "an interface is kept alive",
        "_proxy.py",
        "_by_interface[key] = ref(interface, lambda _: _by_interface.pop(key, None)), proxy_class",
        "_by_interface[key] = (lambda: interface), proxy_class  # type: ignore[assignment]",
        ("test_global.py::test_an_interface_is_not_kept_alive[{}]",),
    ),
]

IN_PYTHON = [*CELL, *PLACES, *ONCE, *PROPERTY, *GLOBAL]
