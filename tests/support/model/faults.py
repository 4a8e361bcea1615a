"""Cells and surfaces with one fault each, which the model's machine must find."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from support.model.usages import PUBLIC_NAMES

#: For each fault: the usage that has it, and a function that returns the public names to replace.
FAULTS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {}


def fault(usage: str) -> Callable[[Callable[[Any], dict[str, Any]]], object]:
    def enter(replace: Callable[[Any], dict[str, Any]]) -> object:
        FAULTS[replace.__name__.replace("_", " ")] = usage, replace
        return replace

    return enter


def in_cell(method: Callable[..., Any], name: str = "get_or_init", usage: str = "cell") -> None:
    """Enter a fault in one method of a cell, which is given the class that it overrides."""

    def replace(package: Any) -> dict[str, Any]:
        base = package.GILOnceCell
        namespace = {name: functools.partialmethod(method, base), "__module__": "gilonce_run_broken"}
        # Named as the original is, because the name is in the `repr`.
        return {"GILOnceCell": type("GILOnceCell", (base,), namespace)}

    replace.__name__ = method.__name__
    fault(usage)(replace)


def broken(package: Any, fault: str) -> Any:
    """Return the package with the fault."""
    names = {name: getattr(package, name) for name in PUBLIC_NAMES}
    names.update(FAULTS[fault][1](package))
    return SimpleNamespace(**names, __implementation__=package.__implementation__, testing=package.testing)


def none_is_taken_for_empty(self: Any, base: Any, initializer: Any) -> Any:
    if self.get() is None:
        self.take()
    return base.get_or_init(self, initializer)


def an_exception_is_kept(self: Any, base: Any, initializer: Any) -> Any:
    if hasattr(self, "error"):
        raise self.error
    try:
        return base.get_or_init(self, initializer)
    except Exception as error:
        self.error = error
        raise


def the_last_write_wins(self: Any, base: Any, initializer: Any) -> Any:
    if self.is_set():
        return base.get_or_init(self, initializer)
    value = initializer()
    self.take()
    self.set(value)
    return value


def the_winner_is_discarded(self: Any, base: Any, initializer: Any) -> Any:
    missing = object()
    if self.get(missing) is not missing:
        return base.get_or_init(self, initializer)
    value = initializer()
    if self._discard is not None and self.get(missing) is value:
        self._discard(value)
    return base.get_or_init(self, lambda: value)


def a_loser_is_not_discarded(self: Any, base: Any, initializer: Any) -> Any:
    if self.is_set():
        return base.get_or_init(self, initializer)
    value = initializer()
    return base.get_or_init(self, lambda: value)


def reentry_is_refused(self: Any, base: Any, initializer: Any) -> Any:
    if getattr(self, "is_running", False):
        raise RuntimeError("re-entered")
    self.is_running = True
    try:
        return base.get_or_init(self, initializer)
    finally:
        del self.is_running


def what_cannot_be_called_is_let_through_when_full(self: Any, base: Any, initializer: Any) -> Any:
    return self.get() if self.is_set() else base.get_or_init(self, initializer)


def the_value_is_looked_at(self: Any, base: Any, default: Any = None) -> Any:
    held = base.take(self, "nothing")
    return default if held == "nothing" else held


def take_leaves_the_value(self: Any, base: Any, default: Any = None) -> Any:
    return self.get(default)


def set_overwrites(self: Any, base: Any, value: Any) -> None:
    self.take()
    base.set(self, value)


def a_copy_is_the_same_cell(self: Any, _base: Any) -> Any:
    return self


def a_deep_copy_is_shallow(self: Any, _base: Any, _memo: Any) -> Any:
    return copy.copy(self)


def a_pickle_is_empty(self: Any, _base: Any, _protocol: Any) -> Any:
    return type(self), ()


async def an_awaited_value_replaces_another(self: Any, base: Any, initializer: Any) -> Any:
    if self.is_set():
        return await base.aget_or_init(self, initializer)
    value = await initializer()
    self.take()
    self.set(value)
    return value


for _method in (
    none_is_taken_for_empty,
    an_exception_is_kept,
    the_last_write_wins,
    the_winner_is_discarded,
    a_loser_is_not_discarded,
    reentry_is_refused,
    what_cannot_be_called_is_let_through_when_full,
):
    in_cell(_method)
in_cell(the_value_is_looked_at, "take")
in_cell(take_leaves_the_value, "take")
in_cell(set_overwrites, "set")
in_cell(a_copy_is_the_same_cell, "__copy__")
in_cell(a_deep_copy_is_shallow, "__deepcopy__")
in_cell(a_pickle_is_empty, "__reduce_ex__")
in_cell(an_awaited_value_replaces_another, "aget_or_init", "async cell")


def cached_property(*, discard: Any) -> Any:
    return functools.cached_property


@fault("property")
def an_attribute_that_was_set_meanwhile_is_overwritten(_package: Any) -> dict[str, Any]:
    return {"once_property": cached_property}


@fault("property through super()")
def the_base_publishes_under_the_name_of_the_override(_package: Any) -> dict[str, Any]:
    return {"once_property": cached_property}


@fault("property of a class")
def a_subclass_shares_the_value_of_its_base(package: Any) -> dict[str, Any]:
    def once_property(*, discard: Any) -> Any:
        def decorate(function: classmethod[Any, Any, Any]) -> Any:
            cell = package.GILOnceCell(discard=discard)
            return type("", (), {"__get__": lambda _, it, cls: cell.get_or_init(lambda: function.__func__(cls))})()

        return decorate

    return {"once_property": once_property}


@fault("once method")
def all_instances_share_a_value(package: Any) -> dict[str, Any]:
    def once(*, discard: Any) -> Any:
        def decorate(function: Any) -> Any:
            return package.once(discard=discard)(classmethod(function))

        return decorate

    return {"once": once}


@fault("once function")
def a_function_keeps_its_exception(package: Any) -> dict[str, Any]:
    def once(*, discard: Any) -> Any:
        def decorate(function: Any) -> Any:
            errors: list[Exception] = []

            @package.once(discard=discard)
            @functools.wraps(function)
            def wrapped() -> Any:
                if errors:
                    raise errors[0]
                try:
                    return function()
                except Exception as error:
                    errors.append(error)
                    raise

            return wrapped

        return decorate

    return {"once": once}


@fault("reified global")
def the_name_keeps_the_proxy(package: Any) -> dict[str, Any]:
    return {"lazy_global": functools.partial(package.lazy_global, reify=False)}


@fault("lock")
def an_initializer_that_reaches_its_own_lock_runs_again(package: Any) -> dict[str, Any]:
    return {"OnceLock": type("OnceLock", (package.GILOnceCell,), {"__module__": "gilonce_run_broken"})}


@fault("ThreadOnceCell, once method")
def a_copy_of_an_instance_has_the_value_of_a_thread(package: Any) -> dict[str, Any]:
    return {"ThreadOnceCell": package.GILOnceCell}


@fault("process cell")
def a_pickle_has_the_value_of_a_process(package: Any) -> dict[str, Any]:
    return {"ProcessOnceCell": type("ProcessOnceCell", (package.GILOnceCell,), {"__module__": "gilonce_run_broken"})}
