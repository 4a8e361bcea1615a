"""The dict of the values of a class, where another thread or Ctrl-C comes between two steps of making it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest


class Owner:
    """Has the values."""


def test_an_interrupt_while_making_the_values_of_a_class_leaves_nothing(
    gilonce: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else than the class itself refers to it afterwards."""
    class_values = import_module("gilonce._storage.class_values")

    class Interrupting(dict[Any, Any]):
        def setdefault(self, key: object, claim: object) -> Any:
            super().setdefault(key, claim)
            raise KeyboardInterrupt

    class Fresh:
        pass

    assert class_values.class_values(Owner, "") is class_values.class_values(Owner, "")
    class_values._candidates[id(Owner)] = "left behind by Ctrl-C"
    assert class_values.class_values(Owner, "") is class_values.class_values(Owner, "")
    assert class_values._candidates == {}
    pending = Interrupting()
    monkeypatch.setattr(class_values, "_candidates", pending)
    with pytest.raises(KeyboardInterrupt):
        class_values.class_values(Fresh, "")
    assert pending == {}
    assert class_values.class_values(Fresh, "") is class_values.class_values(Fresh, "")


def test_values_that_another_thread_has_just_put_into_the_class_are_its_values(gilonce: ModuleType) -> None:
    """A candidate that came too late decides nothing."""
    class_values = import_module("gilonce._storage.class_values")

    class Fresh:
        pass

    class Late(dict[Any, Any]):
        def setdefault(self, key: object, claim: object) -> Any:
            class_values._candidates = {}
            class_values.class_values(Fresh, "")
            return claim

    late = class_values._candidates = Late()
    values = class_values.class_values(Fresh, "")
    assert values is class_values.class_values(Fresh, "")
    assert late == {}
