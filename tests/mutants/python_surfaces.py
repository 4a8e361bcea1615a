"""Mistakes in the three surfaces, in Python."""

from __future__ import annotations

from mutant import ATTRIBUTE_ERROR, LOSERS, ONE_OBJECT, Mutant

LAZY_NOT_AT_MODULE_LEVEL = (
    "test_global.py::test_a_proxy_that_is_not_made_at_module_level_stays[{}-X = (lambda: lazy_global(lambda: [1]))()]"
)

#: `_implementation.py`. (Copies in which Python serves have no core: here it is one that is only said to be.)
IMPLEMENTATION = [
    Mutant(
        "Python cannot be asked for",
        "_implementation.py",
        'if os.environ.get("GILONCE_PURE_PYTHON"):',
        'if os.environ.get("GILONCE_PYTHON"):',
        ("test_package.py::test_python_serves_where_it_is_asked_for",),
    ),
    Mutant(
        "Python serves unasked",
        "_implementation.py",
        'if os.environ.get("GILONCE_PURE_PYTHON"):',
        'if "GILONCE_PURE_PYTHON" in os.environ:',
        ("test_package.py::test_a_core_that_is_there_is_asked",),
    ),
    Mutant(
        "a core that cannot be loaded is taken for one that was not built",
        "_implementation.py",
        "except ModuleNotFoundError:",
        "except ImportError:",
        ("test_package.py::test_a_core_that_cannot_be_loaded_is_an_error",),
    ),
    Mutant(
        "the core takes nothing over",
        "_implementation.py",
        "return reference if _take_over is None else _take_over(reference)",
        "return reference",
        ("test_package.py::test_a_core_that_is_there_is_asked",),
    ),
]

#: `_callables.py`.
CALLABLES = [
    Mutant(
        "a callable without a name is shown by its repr",
        "_callables.py",
        'return f"<partial of {name_of(function.func)}>"',
        "return repr(function)",
        ("test_once.py::test_decorating_asks_no_argument_of_a_partial_for_its_repr[{}]",),
    ),
    Mutant(
        "a name that is no string is a name",
        "_callables.py",
        "    if issubclass(type(name), str):\n        return str(name)",
        "    if name is not None:\n        return name  # type: ignore[no-any-return]",
        ("test_callables.py::test_a_name_that_is_no_string_is_none[{}]",),
    ),
    Mutant(
        "what passes for a partial is taken for one",
        "_callables.py",
        '        and hasattr(function, "func")\n'
        '        and isinstance(getattr(function, "args", None), tuple)\n'
        '        and isinstance(getattr(function, "keywords", None), dict)\n',
        "",
        (
            "test_callables.py::test_what_passes_for_another_kind_of_callable_need_not_have_what_that_has[{}-once-partial]",
        ),
    ),
    Mutant(
        "a kind of class method is taken for a function",
        "_callables.py",
        'if isinstance(function, kind) and hasattr(function, "__func__"):',
        "if type(function) is kind:",
        ("test_callables.py::test_a_kind_of_class_method_is_a_class_method[{}-once]",),
    ),
    Mutant(
        "a factory in a class becomes a method",
        "_callables.py",
        "not (isinstance(function, MethodType) or _is_partial(function))",
        "not _is_partial(function)",
        ("test_once.py::test_a_bound_method_is_a_factory[{}]",),
    ),
    Mutant(
        "the search for what a call runs does not end",
        "_callables.py",
        "    for _ in range(sys.getrecursionlimit()):\n",
        "    while True:\n",
        ("test_callables.py::test_a_partial_of_itself_is_no_coroutine_function[{}]",),
    ),
    Mutant(
        "a coroutine function behind a partial is not seen",
        "_callables.py",
        "            function = function.func\n",
        "            return 0\n",
        ("test_once.py::test_a_coroutine_function_in_disguise_is_still_one[{}-partial]",),
    ),
    Mutant(
        "a mark that everything has makes a coroutine function",
        "_callables.py",
        "    return iscoroutinefunction(function)\n",
        "    return iscoroutinefunction is not None\n",
        ("test_once.py::test_a_mock_is_a_factory_like_any_other[{}]",),
    ),
    Mutant(
        "an asynchronous generator function is taken",
        "_callables.py",
        "(_CO_GENERATOR | _CO_ASYNC_GENERATOR)",
        "_CO_GENERATOR",
        ("test_once.py::test_generator_functions_are_refused[{}]",),
    ),
    Mutant(
        "a method behind a decorator that hides its parameters takes no instance",
        "_callables.py",
        "return bool(_code_flags(function) & _CO_VARARGS)",
        "return False",
        ("test_once.py::test_a_method_behind_a_decorator_that_hides_its_parameters_is_still_a_method[{}]",),
    ),
    Mutant(
        "what is wrapped for ever is followed for ever",
        "_callables.py",
        " and len(seen) < sys.getrecursionlimit()",
        "",
        ("test_callables.py::test_what_says_that_it_wraps_for_ever_is_decorated[{}]",),
    ),
    Mutant(
        "what wraps itself is followed for ever",
        "_callables.py",
        " and id(function) not in seen and len(seen) < sys.getrecursionlimit()",
        "",
        ("test_callables.py::test_what_wraps_itself_is_decorated[{}]",),
    ),
    Mutant(
        "an argument that a partial gives is required",
        "_callables.py",
        "for name in positional[len(function.args) :] if name not in given",
        "for name in positional if name not in given",
        ("test_once.py::test_a_partial_requires_what_it_leaves_open",),
    ),
    Mutant(
        "a keyword-only parameter with a default is required",
        "_callables.py",
        "[name for name in keywords if name not in keyword_defaults]",
        "list(keywords)",
        ("test_callables.py::test_a_parameter_with_a_default_is_not_required[{}]",),
    ),
    Mutant(
        "the instance of a callable object's class is required",
        "_callables.py",
        "return positional[1:], keyword_only",
        "return positional, keyword_only",
        ("test_once.py::test_a_coroutine_function_in_disguise_is_still_one[{}-instance]",),
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
        "the methods of equal instances are equal",
        "_once.py",
        "return self.__self__ is other.__self__ and",
        "return self.__self__ == other.__self__ and",
        ("test_once.py::test_bound_methods_of_equal_instances_are_not_equal[{}]",),
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
        "made = GILOnceCell(discard=discard) if cell is None",
        "made = GILOnceCell() if cell is None",
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
        "        if not self._is_async:\n            return cell.get_or_init(initializer)\n        coroutine",
        "        if self._is_async is not None:\n            return cell.get_or_init(initializer)\n        coroutine",
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
        "return Definition(function, discard, advice)",
        "return Definition(function, None, advice)",
        (LOSERS.format("property_in_slot"),),
    ),
    Mutant(
        "a static property forgets its discard",
        "_bound.py",
        "return GILOnceCell(discard=self.discard)",
        "return GILOnceCell()",
        (LOSERS.format("static_property"),),
    ),
    Mutant(
        "a copy of a property shares the definition",
        "_property.py",
        'own = {"_cell", "_definition", "_makes"}',
        'own = {"_cell", "_makes"}',
        ("test_property.py::test_a_copy_of_the_descriptor_has_values_of_its_own[{}-plain-copy]",),
    ),
    Mutant(
        "a copy of a static property shares the cell",
        "_property.py",
        'own = {"_cell", "_definition", "_makes"}',
        'own = {"_definition", "_makes"}',
        ("test_property.py::test_a_copy_of_the_descriptor_has_values_of_its_own[{}-static-copy]",),
    ),
    Mutant(
        "an async property that has not begun cannot be thrown into",
        "_property.py",
        "return self._begun().throw(*error)",
        "return self._coroutine.throw(*error)",
        ("test_property.py::test_what_is_thrown_into_an_async_property_before_it_has_begun_ends_it[{}]",),
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
        "cls = cls.__mro__[-2]\n        return self._ask(self._definition.cell_of(cls), MethodType(self.func, cls))",
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
        "        raise RuntimeError(\n",
        "        raise error\n        raise RuntimeError(\n",
        ("test_global.py::test_a_factory_that_raises_attribute_error_is_not_taken_for_a_missing_attribute[{}]",),
    ),
    Mutant(
        "a lazy global keeps what its own thread made",
        "_proxy.py",
        "return cell.get_or_init(factory)",
        "value = factory()\n        cell.get_or_init(lambda: value)\n        return value",
        (ONE_OBJECT.format("proxy"), ONE_OBJECT.format("reified_global")),
    ),
    Mutant(
        "a lazy global forgets its discard",
        "_global.py",
        "its_cell = GILOnceCell(discard=discard)",
        "its_cell = GILOnceCell()",
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
        "        if namespace is not None:\n            _reify(",
        "        if namespace is None:\n            _reify(",
        ("test_global.py::test_the_first_touch_replaces_the_name_in_its_module[{}]",),
    ),
    Mutant(
        "a value that is not final replaces the name",
        "_global.py",
        "if not its_cell.final:",
        "if False:",
        ("test_chosen.py::test_a_proxy_that_asks_gives_each_thread_its_own[{}]",),
    ),
    Mutant(
        "a proxy made in a function replaces names",
        "_global.py",
        "if not frame.f_code.co_flags & CO_OPTIMIZED and frame.f_locals is frame.f_globals:",
        "if frame:",
        (LAZY_NOT_AT_MODULE_LEVEL,),
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
        "an interface is taken for one that lay where it lies",
        "_proxy.py",
        "if known is not None and known[0]() is interface:",
        "if known is not None:",
        ("test_global.py::test_an_interface_is_not_taken_for_one_that_lay_where_it_lies[{}]",),
    ),
    Mutant(
        "what is known of an interface outlives it",
        "_proxy.py",
        "ref(interface, lambda _: _by_interface.pop(key, None))",
        "ref(interface)",
        ("test_global.py::test_an_interface_is_not_kept_alive[{}]",),
    ),
    Mutant(
        "an interface is kept alive",
        "_proxy.py",
        "_by_interface[key] = ref(interface, lambda _: _by_interface.pop(key, None)), proxy_class",
        "_by_interface[key] = (lambda: interface), proxy_class  # type: ignore[assignment]",
        ("test_global.py::test_an_interface_is_not_kept_alive[{}]",),
    ),
]

MUTANTS = [*IMPLEMENTATION, *CALLABLES, *ONCE, *PROPERTY, *GLOBAL]
