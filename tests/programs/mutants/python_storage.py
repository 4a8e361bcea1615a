"""Mistakes in `bound.py` and `class_values.py` of `gilonce/_storage/`: the places in instances, slots and classes."""

from __future__ import annotations

from mutant import BETWEEN, DICT_AFTER, NONE, ONE_OBJECT, Mutant

MUTANTS = [
    Mutant(
        "definitions of one qualified name share a key",
        "_storage/bound.py",
        'if "<" not in key and _keys.setdefault(key, mine) is mine:',
        "if mine:",
        (
            "surfaces/test_once_methods.py::test_definitions_that_share_a_qualified_name_share_no_value[{}]",
            "surfaces/test_once.py::test_two_definitions_of_one_module_level_name_share_no_value[{}]",
        ),
    ),
    Mutant(
        "a second definition of a module-level name shares the key of the first",
        "_storage/bound.py",
        "_keys.setdefault(key, mine) is mine:",
        "_keys.setdefault(key, mine):",
        ("surfaces/test_once.py::test_two_definitions_of_one_module_level_name_share_no_value[{}]",),
    ),
    Mutant(
        "the key is the function's __name__",
        "_storage/bound.py",
        'self.key = _unique_key(f"{module}.{name}")',
        'self.key = getattr(function, "__name__", name)',
        ("surfaces/test_once_methods.py::test_an_override_that_calls_super_has_a_value_of_its_own[{}]",),
    ),
    Mutant(
        "a key means nothing in another process",
        "_storage/bound.py",
        'module = "__main__" if module == "__mp_main__" else module',
        "",
        ("surfaces/test_once_copies.py::test_an_instance_takes_its_values_to_a_spawned_process[{}]",),
    ),
    Mutant(
        "the last write to an instance or a class wins",
        "_storage/bound.py",
        "published = namespace.setdefault(self._key, value)",
        "published = namespace[self._key] = value",
        (ONE_OBJECT.format("property_in_dict"), ONE_OBJECT.format("once_below_classmethod")),
    ),
    Mutant(
        "check and write of an instance are two steps",
        "_storage/bound.py",
        "published = namespace.setdefault(self._key, value)",
        "published = value if before is EMPTY else before\n        namespace[self._key] = published",
        (BETWEEN.format("property_in_dict: touch | touch"),),
    ),
    Mutant(
        "None in an instance or a class is taken for empty",
        "_storage/bound.py",
        "return self._namespace().get(self._key, EMPTY)",
        "value = self._namespace().get(self._key, EMPTY)\n        return EMPTY if value is None else value",
        ("surfaces/test_once_cell.py::test_the_cell_of_a_bound_method_is_a_view_of_its_owner[{}-instance]",),
    ),
    Mutant(
        "the dict of an instance is looked up before the initializer runs",
        "_storage/bound.py",
        " if values is None else values\n        return namespace\n",
        " if values is None else values\n        self._values_of_class = namespace\n        return namespace\n",
        (
            DICT_AFTER.format("property-dict"),
            "surfaces/test_once_methods.py::test_an_initializer_may_change_its_instance[{}-None-dict]",
            "surfaces/test_once_methods.py::test_an_initializer_may_change_where_its_instance_keeps_attributes[{}]",
        ),
    ),
    Mutant(
        "the slot of an instance is looked up before the initializer runs",
        "_storage/bound.py",
        "        if type(self._owner) is not self._class:\n",
        "        if not self._class:\n",
        ("surfaces/test_once_property_changes.py::test_the_slot_is_found_after_the_initializer_too[{}]",),
    ),
    Mutant(
        "an instance keeps a cell, which copies share",
        "_storage/bound.py",
        "        return self.cell_in_dict(owner, self.key)\n",
        "        shared: Any = self.namespace_of(owner).setdefault(self.key, GILOnceCell(discard=self.discard))\n"
        "        return shared\n",
        ("surfaces/test_once_copies.py::test_copies_of_an_instance_carry_its_value_and_nothing_shared[{}]",),
    ),
    Mutant(
        "the copy of a view forgets the value",
        "_storage/bound.py",
        "            cell.set(value)\n",
        "            pass\n",
        ("surfaces/test_once_cell.py::test_the_cell_of_a_bound_method_is_a_view_of_its_owner[{}-instance]",),
    ),
    Mutant(
        "a subclass uses the values of its base",
        "_storage/class_values.py",
        "values = cls.__dict__.get(CLASS_VALUES)\n"
        "    return values if type(values) is ClassValues and values.owner() is cls else None",
        "values = getattr(cls, CLASS_VALUES, None)\n    return values if type(values) is ClassValues else None",
        (
            "surfaces/test_once_methods.py::test_a_class_method_has_one_value_per_class[{}-True]",
            "surfaces/test_once_property.py::test_a_classmethod_is_a_lazy_class_attribute[{}]",
        ),
    ),
    Mutant(
        "a class that is made anew takes over the values of the first",
        "_storage/class_values.py",
        "type(values) is ClassValues and values.owner() is cls else None",
        "type(values) is ClassValues else None",
        ("surfaces/test_once_methods.py::test_a_class_that_is_made_anew_takes_no_values_from_the_first[{}]",),
    ),
    Mutant(
        "each thread that makes the values of a class writes its own candidate",
        "_storage/class_values.py",
        "candidate = _candidates.setdefault(key, candidate)",
        "_candidates.setdefault(key, candidate)",
        (BETWEEN.format("classmethod_of_subclass: touch | touch"),),
    ),
    Mutant(
        "the candidate for the values of a class is never dropped",
        "_storage/class_values.py",
        "        if _candidates.get(key) is candidate:\n            _candidates.pop(key, None)\n",
        "",
        ("surfaces/test_once_lifetimes.py::test_a_class_whose_value_nobody_asks_for_is_not_kept_alive[{}]",),
    ),
    Mutant(
        "a slot is checked and written outside of a claim",
        "_storage/bound.py",
        "                if claims[key] is claim:\n",
        "                if claim:\n",
        ("storage/test_bound.py::test_a_claim_that_was_taken_or_assigned_over_is_not_written_any_more[{}-assign]",),
    ),
    Mutant(
        "a slot is written without a claim",
        "_storage/bound.py",
        "            mine = claim = Claim(self._owner, value)\n",
        "            if self._read() is EMPTY:\n"
        "                self._member.__set__(self._owner, value)\n"
        "                return value, True\n"
        "            mine = claim = Claim(self._owner, value)\n",
        ("storage/test_bound.py::test_of_two_that_publish_at_once_both_have_the_value_of_one[{}]",),
    ),
    Mutant(
        "the claim on a slot is dropped before the write",
        "_storage/bound.py",
        "                    claim.is_written = True\n                    write(owner, value)",
        "                    claim.is_written = True\n"
        "                    claims.pop(key, None)\n"
        "                    write(owner, value)",
        ("storage/test_bound.py::test_nobody_waits_for_the_write_of_a_claim[{}]",),
        hangs=True,  # the test's own thread, for the others fail
    ),
    Mutant(
        "the claim on a slot is never dropped",
        "_storage/bound.py",
        "        if claims.get(key) is claim:\n            claims.pop(key, None)\n        return",
        "        return",
        ("storage/test_bound.py::test_a_claim_that_came_too_late_decides_nothing[{}]",),
    ),
    Mutant(
        "who meets a claim on a slot waits for the write",
        "_storage/bound.py",
        "        return self._finish(claim)\n\n    def _publish(",
        "        while self._claims.get(id(self._owner)) is claim:\n"
        "            pass\n"
        "        return self._read()\n\n    def _publish(",
        ("storage/test_bound.py::test_nobody_waits_for_the_write_of_a_claim[{}]",),
        hangs=True,
    ),
    Mutant(
        "a slot that was written meanwhile is written again",
        "_storage/bound.py",
        "if value is not EMPTY and self._read() is EMPTY:",
        "if value is not EMPTY:",
        ("storage/test_bound.py::test_a_claim_that_came_too_late_decides_nothing[{}]",),
    ),
    Mutant(
        "None in a slot is taken for empty",
        "_storage/bound.py",
        "            return member.__get__(self._owner)\n",
        "            value = member.__get__(self._owner)\n            return EMPTY if value is None else value\n",
        (NONE.format("property_in_slot"),),
        hangs=True,  # who publishes None tries for ever
    ),
    Mutant(
        "take() deletes from a slot what it has not seen",
        "_storage/bound.py",
        "if value is not EMPTY and claims[key] is mine:",
        "if value is not EMPTY:",
        ("storage/test_bound.py::test_a_take_removes_only_what_it_returns[{}-assign]",),
    ),
    Mutant(
        "an assignment to a slot overlooks the claim of another",
        "_storage/bound.py",
        "            if key not in claims:\n",
        "            if claims is not None:\n",
        ("storage/test_bound.py::test_a_claim_that_was_taken_or_assigned_over_is_not_written_any_more[{}-assign]",),
    ),
    Mutant(
        "who wrote a slot is said after the write",
        "_storage/bound.py",
        "                    claim.is_written = True\n                    write(owner, value)",
        "                    write(owner, value)\n                    claim.is_written = True",
        ("storage/test_bound.py::test_who_wrote_is_known_as_soon_as_it_is_written[{}]",),
    ),
    Mutant(
        "a value in an instance is asked whether it is another",
        "_storage/bound.py",
        "return published, published is value and before is not value",
        "return published, published is value and before != value",
        ("laws/test_laws.py::test_a_value_is_compared_with_nothing[{}-property_in_dict]",),
    ),
    Mutant(
        "a class that takes no attributes is kept alive",
        "_storage/class_values.py",
        "        _candidates.pop(id(cls), None)\n        raise TypeError",
        "        raise TypeError",
        ("surfaces/test_once_methods.py::test_a_class_that_takes_no_attributes_is_refused_before_anything_runs[{}]",),
    ),
    Mutant(
        "local definitions have the same keys in every process",
        "_storage/bound.py",
        'if "<" not in key and _keys',
        "if _keys",
        ("surfaces/test_once_copies.py::test_a_local_definition_has_a_key_that_no_other_process_has[{}]",),
    ),
]
