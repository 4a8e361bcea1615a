"""The proxy that `lazy_global` returns: wrapt's, with the special methods that wrapt leaves out.

This is the only module that imports wrapt, and the first `lazy_global()` call is what
imports this module.
"""

from __future__ import annotations

import copy
import operator
import os
import sys
from types import FunctionType
from weakref import ref

from wrapt import BaseObjectProxy

from ._callables import name_of
from ._implementation import in_c

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from typing import Any

    from ._cell import GILOnceCell


def ask(proxy: Any) -> Any:
    """Return what the cell of `proxy` gives."""
    factory, cell = proxy._self_origin[:2]
    try:
        # The factory itself, for between it and the cell nothing may run (law 5).
        return cell.get_or_init(factory)
    except AttributeError as error:
        raise RuntimeError(
            f"the factory {name_of(factory)}() of a lazy_global raised AttributeError: {error}"
        ) from error


@in_c
class LazyProxy(BaseObjectProxy):  # type: ignore[type-arg]
    # No docstring: it would be found where the real object's is looked for.

    def __init__(self, factory: Callable[[], Any], cell: GILOnceCell, namespace: dict[str, Any] | None) -> None:
        BaseObjectProxy.__init__(self, None)
        # One attribute for all, because each is a call into wrapt.
        self._self_origin = factory, cell, namespace

    @property
    def _self_cell(self) -> GILOnceCell:
        return self._self_origin[1]

    # wrapt's hooks for a lazy proxy: the first says by being there that the object is yet
    # to be made, the second is called for it. Only wrapt's compiled part keeps what that
    # returns, so it is kept here. Threads that race are given one object by the cell, so
    # it does not matter whose is kept.

    __wrapped_factory__ = True

    def __wrapped_get__(self) -> Any:
        value = ask(self)
        # Reified first, for afterwards this is not called again.
        namespace = self._self_origin[2]
        if namespace is not None:
            _reify(self, value, namespace)
        self.__wrapped__ = value
        self._self_is_made = True
        return value

    _self_is_made = False

    def __repr__(self) -> str:
        if self._self_is_made or self._self_cell.is_set():
            return repr(self.__wrapped__)
        return f"<lazy_global: {name_of(self._self_origin[0])}() not yet called>"

    # A copy or a pickle is the real object's. `getitem` is how pickle is told to make just
    # an object: reading it back needs no gilonce.

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.getitem, ((self.__wrapped__,), 0)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def __radd__(self, other: Any) -> Any:
        try:
            return other + self.__wrapped__
        except TypeError:
            # `list += P`: Python asks the right operand before it extends the list.
            if hasattr(type(other), "__iadd__"):
                return NotImplemented
            raise

    # What does not support `with` is told so by the interpreter, not by an AttributeError.

    def __enter__(self) -> Any:
        wrapped = self.__wrapped__
        if not _has_all(wrapped, "__enter__", "__exit__"):
            with wrapped:
                pass  # pragma: no cover - the interpreter raises before it comes here
        return wrapped.__enter__()

    def __aenter__(self) -> Any:
        wrapped = self.__wrapped__
        if not _has_all(wrapped, "__aenter__", "__aexit__"):
            _enter(wrapped).send(None)
        return wrapped.__aenter__()


def _has_all(wrapped: object, *names: str) -> bool:
    return all(hasattr(type(wrapped), name) for name in names)


async def _enter(wrapped: Any) -> None:
    async with wrapped:
        pass  # pragma: no cover - the interpreter raises before it comes here


def _in_place(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # wrapt's own put the result into the proxy, which others hold. The result itself is
    # what the real object's operator gives: a new number, or the same list, extended.
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, BaseObjectProxy):
            other = other.__wrapped__
        return operate(self.__wrapped__, other)

    return method


for _name in [
    "add",
    "and",
    "concat",
    "floordiv",
    "lshift",
    "matmul",
    "mod",
    "mul",
    "or",
    "pow",
    "rshift",
    "sub",
    "truediv",
    "xor",
]:
    if _name != "concat":
        setattr(LazyProxy, f"__i{_name}__", _in_place(getattr(operator, f"i{_name}")))


# The special methods by whose presence on the type Python tells kinds of objects apart.
# Each ends in the operation itself, so that the real object's error is the error.


def _call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    return self.__wrapped__(*args, **kwargs)


def _iter(self: Any) -> Iterator[Any]:
    return iter(self.__wrapped__)


def _next(self: Any) -> Any:
    return next(self.__wrapped__)


def _length_hint(self: Any) -> int:
    return operator.length_hint(self.__wrapped__)


def _aiter(self: Any) -> AsyncIterator[Any]:
    return aiter(self.__wrapped__)


def _anext(self: Any) -> Any:
    return anext(self.__wrapped__)


async def _awaited(wrapped: Any) -> Any:
    return await wrapped


def _await(self: Any) -> Generator[Any, Any, Any]:
    return _awaited(self.__wrapped__).__await__()


def _fspath(self: Any) -> Any:
    return os.fspath(self.__wrapped__)


def _buffer(self: Any, flags: int) -> memoryview:
    return memoryview(self.__wrapped__)


def _get(self: Any, instance: object, owner: type | None = None) -> Any:
    wrapped = self.__wrapped__
    if not hasattr(type(wrapped), "__get__"):
        return wrapped
    return type(wrapped).__get__(wrapped, instance, owner)


def _set(self: Any, instance: object, value: Any) -> None:
    self.__wrapped__.__set__(instance, value)


def _delete(self: Any, instance: object) -> None:
    self.__wrapped__.__delete__(instance)


def _set_name(self: Any, owner: type, name: str) -> None:
    self.__wrapped__.__set_name__(owner, name)


ALWAYS: dict[str, Callable[..., Any]] = {
    "__call__": _call,
    "__iter__": _iter,
    "__next__": _next,
    "__length_hint__": _length_hint,
    "__aiter__": _aiter,
    "__anext__": _anext,
    "__await__": _await,
    "__fspath__": _fspath,
    "__get__": _get,
}
if sys.version_info >= (3, 12):  # pragma: no branch - coverage is measured on a newer one
    ALWAYS["__buffer__"] = _buffer

# Only for an interface that has them: with `__set__` the proxy would take assignments
# away from the instances of a class in whose body it stands as a plain value, and with
# `__set_name__` that class's creation would touch it.
_ON_REQUEST: dict[str, Callable[..., Any]] = {"__set__": _set, "__delete__": _delete, "__set_name__": _set_name}
OPTIONAL = {**ALWAYS, **_ON_REQUEST}

#: The proxy classes by the special methods they have; one is made for every combination in use.
_classes: dict[tuple[str, ...], type[LazyProxy]] = {}


def _class_with(names: tuple[str, ...]) -> type[LazyProxy]:
    if names not in _classes:
        _classes.setdefault(names, in_c(type("LazyProxy", (LazyProxy,), entries_of(names, LazyProxy))))
    return _classes[names]


def entries_of(names: tuple[str, ...], base: type) -> dict[str, Any]:
    """Return what a class of proxies that have the methods of those names has in it."""
    entries: dict[str, Any] = {name: OPTIONAL[name] for name in names}
    if isinstance(getattr(base, "__getitem__", None), FunctionType):
        # wrapt in Python: what has a `__getitem__` is iterable, unless it says that it is not.
        entries.setdefault("__iter__", None)
    return entries


_with_all = _class_with(tuple(ALWAYS))


#: The proxy class for each interface, by its `id`, for a metaclass may make hashing it
#: anything. An interface is held weakly, and the entry goes when it goes.
_by_interface: dict[int, tuple[ref[type], type[LazyProxy]]] = {}


def _class_for(interface: type) -> type[LazyProxy]:
    key = id(interface)
    known = _by_interface.get(key)
    if known is not None and known[0]() is interface:
        return known[1]
    proxy_class = _class_with(methods_of(interface))
    _by_interface[key] = ref(interface, lambda _: _by_interface.pop(key, None)), proxy_class
    return proxy_class


def methods_of(interface: type) -> tuple[str, ...]:
    """Return which of the special methods instances of `interface` have."""
    found = {}
    for cls in reversed(interface.__mro__):
        entries = cls.__dict__
        # None in the place of a special method says that there is none.
        found.update({name: entries[name] is not None for name in OPTIONAL.keys() & entries.keys()})
    # What Python does with instances that lack the method: a sequence is iterated by its
    # items, and text is a path.
    found.setdefault("__iter__", any("__getitem__" in cls.__dict__ for cls in interface.__mro__))
    found.setdefault("__fspath__", issubclass(interface, (str, bytes)))
    return tuple([name for name in OPTIONAL if found.get(name)])


def implied_interface(factory: Any) -> type | None:
    # By `type()`, as in `lazy_global`, and because an instance may pass for a class.
    if issubclass(type(factory), type):
        return factory  # type: ignore[no-any-return]
    try:
        annotation = factory.__annotations__.get("return")
    except Exception:
        # No annotations, or, where they are evaluated late, none that can be.
        return None
    if not issubclass(type(annotation), type) or annotation is object:
        return None
    if annotation.__name__ == "Any" and annotation.__module__ in ("typing", "typing_extensions"):
        return None
    return annotation  # type: ignore[no-any-return]


@in_c
def make_proxy(
    factory: Callable[[], Any], interface: type | None, cell: GILOnceCell, namespace: dict[str, Any] | None
) -> LazyProxy:
    """Return a proxy for what `factory` makes, to be put in its own place in `namespace` when touched."""
    if interface is None:
        interface = implied_interface(factory)
    proxy_class = _with_all if interface is None else _class_for(interface)
    return proxy_class(factory, cell, namespace)


def _reify(proxy: object, value: object, namespace: dict[str, Any]) -> None:
    """Put `value` wherever `namespace` has `proxy`."""
    # `copy` is one operation of the interpreter, so no other thread changes the dict that
    # is looped over. CPython with a GIL switches threads after calls and at jumps
    # backwards, and there is neither from the second subscript to the store: a name that
    # was rebound stays so. Elsewhere a rebinding in just that moment can be lost, as
    # between any two assignments to a global.
    for name, bound in namespace.copy().items():
        if bound is proxy and name in namespace and namespace[name] is proxy:
            namespace[name] = value
