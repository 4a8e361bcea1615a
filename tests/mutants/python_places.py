"""Mistakes in `gilonce/_bound.py`: the places in instances, slots and classes."""

from __future__ import annotations

from mutant import BETWEEN, NONE, ONE_OBJECT, Mutant

MUTANTS = [
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
        "_keys.setdefault(key, mine) is mine:",
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
        (BETWEEN.format("property_in_dict: touch | touch"),),
    ),
    Mutant(
        "None in an instance or a class is taken for empty",
        "_bound.py",
        "return self._namespace.get(self._key, EMPTY)",
        "value = self._namespace.get(self._key, EMPTY)\n        return EMPTY if value is None else value",
        ("test_once.py::test_the_cell_of_a_bound_method_is_a_view_of_its_owner[{}-instance]",),
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
        "            cell.set(value)\n",
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
        (BETWEEN.format("class_without_values: touch | touch"),),
    ),
    Mutant(
        "the claim on a class is never dropped",
        "_bound.py",
        "        if _new_values.get(key) is claim:\n            _new_values.pop(key, None)\n",
        "",
        ("test_once.py::test_a_class_whose_value_nobody_asks_for_is_not_kept_alive[{}]",),
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
    Mutant(
        "who wrote a slot is said after the write",
        "_bound.py",
        "                    claim.is_written = True\n                    write(owner, value)",
        "                    write(owner, value)\n                    claim.is_written = True",
        ("test_bound.py::test_who_wrote_is_known_as_soon_as_it_is_written[{}]",),
    ),
    Mutant(
        "a value in an instance is asked whether it is another",
        "_bound.py",
        "return published, published is value and before is not value",
        "return published, published is value and before != value",
        ("test_laws.py::test_a_value_is_compared_with_nothing[{}-property_in_dict]",),
    ),
    Mutant(
        "a class that takes no attributes is kept alive",
        "_bound.py",
        "        _new_values.pop(id(cls), None)\n        raise TypeError",
        "        raise TypeError",
        ("test_once.py::test_a_class_that_takes_no_attributes_is_refused_before_anything_runs[{}]",),
    ),
    Mutant(
        "local definitions have the same keys in every process",
        "_bound.py",
        'if "<" not in key and _keys',
        "if _keys",
        ("test_once.py::test_a_local_definition_has_a_key_that_no_other_process_has[{}]",),
    ),
]
