"""The special methods of a proxy in Python, and which attributes are the proxy's own.

The native core has the frequent ones in C. The others are used by both implementations.
"""

from __future__ import annotations

import copy
import operator
import os
import sys
from weakref import ref

from wrapt import BaseObjectProxy

from .._cells.callables import name_of
from .interfaces import all_entries_of, entry_of, is_class, is_ordinary, name_of_class, required, special
from .recognised import is_looked_at_by_tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from typing import Any


#: Reads what is the proxy's own, without a call of the proxy's `__getattribute__`.
_read = object.__getattribute__

_OWN_NAMES = frozenset(
    {
        "__wrapped__",
        "__class__",
        "__reduce_ex__",
        "__reduce__",
        "__copy__",
        "__deepcopy__",
        "__mro_entries__",
        "__conform__",
        "__object_proxy__",
    }
)


def stays_with_proxy(name: str) -> bool:
    """Return whether an attribute is the proxy's own, because wrapt, pickle, copy or class statements read it there."""
    return name in _OWN_NAMES or (name.startswith(("_self_", "__wrapped_", "__self_")) and name != "__self__")


def unwrapped(other: Any) -> Any:
    """Return the object behind a proxy of wrapt's. Any other object is returned itself."""
    # type(), not isinstance(): that would look up `__class__` on the object.
    return other.__wrapped__ if issubclass(type(other), BaseObjectProxy) else other


class ProxyMethods:
    """The methods of all proxies. They are copied, because wrapt's proxies in C and in Python share no base class."""

    #: True: the proxy keeps its object. False: it never had one. None: it reads its cell, but may also keep an object,
    #: because it has forgotten one, or was interrupted before it was ready.
    _self_is_made: bool | None = False
    # See `global_cell.py` and `proxy.forget`.
    _self_is_registered = False
    _self_names: Any = None
    _self_inner: Any = ()

    # This attribute tells wrapt that the object does not exist yet.
    __wrapped_factory__ = True

    def __wrapped_setattr_fixups__(self) -> None:
        # wrapt calls this hook on the proxy. If it were missing, wrapt would look it up on the object.
        pass

    # wrapt also keeps copies of some attributes that are assigned, and for that it reads attributes of the object.
    # Here an assignment only goes to the object.

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__wrapped__":
            self._self_assign(value)
        elif name.startswith("_self_"):
            self.__self_setattr__(name, value)
        else:
            setattr(self.__wrapped__, name, value)

    def _self_assign(self, value: Any) -> None:
        self.__self_setattr__("__wrapped__", value)

    def __delattr__(self, name: str) -> None:
        if name.startswith("_self_"):
            self._self_delattr(name)
        elif name == "__wrapped__":
            raise TypeError("can't delete __wrapped__ attribute")
        else:
            delattr(self.__wrapped__, name)

    # All other attributes, special names included, are the object's. For them, `__getattribute__` raises
    # AttributeError. Then Python calls `__getattr__`, which looks up the name on the object, exactly once.

    def __getattribute__(self, name: str) -> Any:
        if name == "__wrapped__" and not _read(self, "_self_is_made"):
            # The result of the touch, not what the proxy has now: the cell may have been emptied since.
            return _read(self, "__wrapped_get__")()
        if name == "__wrapped__" or stays_with_proxy(name):
            return _read(self, name)
        raise AttributeError(name)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            # wrapt in Python has no attribute `__wrapped__` before the first touch.
            return self.__wrapped_get__()
        if stays_with_proxy(name) and not name.startswith("_self_"):
            raise AttributeError(f"a lazy_global has no attribute {name!r}")
        answer = self._self_answer(name) if name.startswith("__") else NotImplemented
        return getattr(self.__wrapped__, name) if answer is NotImplemented else answer

    def _self_answer(self, name: str) -> Any:
        """Return what `interface=` says about a special name before the first touch, or NotImplemented."""
        _, cell, _, interface = self._self_origin
        if self._self_is_made or cell.is_set():
            return NotImplemented
        if is_looked_at_by_tool():
            # Not the interface: Sphinx would sort what it takes for a dict, to show it.
            return object if name == "__class__" else NotImplemented
        if interface is None:
            return NotImplemented
        if name == "__class__":
            return interface
        if not is_ordinary(interface):
            return NotImplemented
        entry = entry_of(interface, name, NotImplemented)
        if name == "__dict__" and entry is not NotImplemented:
            return interface.__dict__
        if entry is NotImplemented:
            raise AttributeError(f"{name_of_class(interface)!r} object has no attribute {name!r}")
        is_value = name in ("__doc__", "__module__") and entry_of(type(entry), "__get__") is None
        return entry if is_value else NotImplemented

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        answer = self._self_answer("__class__")
        return self.__wrapped__.__class__ if answer is NotImplemented else answer

    # wrapt's methods of these names read `__class__` of the object, and `__wrapped__` of the other class.

    def __mro_entries__(self, bases: tuple[Any, ...]) -> Any:
        wrapped = self.__wrapped__
        if issubclass(type(wrapped), type):
            return (wrapped,)
        try:
            method = wrapped.__mro_entries__
        except AttributeError:
            return (wrapped,)
        return method(bases)

    def __conform__(self, protocol: Any) -> Any:
        # PEP 246. A database driver calls this for a parameter of a type that it does not know. Its module has a
        # function `adapt`, which finds the adapter for the type of the object.
        module = sys.modules.get(getattr(protocol, "__module__", None))  # type: ignore[arg-type]
        adapt = getattr(module, "adapt", None)
        return self.__wrapped__ if adapt is None else adapt(self.__wrapped__, protocol, self.__wrapped__)

    def __subclasscheck__(self, subclass: Any) -> bool:
        return issubclass(unwrapped(subclass), self.__wrapped__)

    def __repr__(self) -> str:
        if self._self_is_made or self._self_cell.is_set():
            return repr(self.__wrapped__)
        return f"<lazy_global: {name_of(self._self_origin[0])}() not yet called>"

    # A copy or a pickle of a proxy is one of the object. Unpickling calls `getitem((object,), 0)`, which returns the
    # object and does not need gilonce.

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.getitem, ((self.__wrapped__,), 0)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def __radd__(self, other: Any) -> Any:
        # Outside of the `try`, because a TypeError of the factory is not one of the addition.
        wrapped = self.__wrapped__
        try:
            return other + wrapped
        except TypeError:
            # In `items += P`, Python asks the right operand before it extends the list.
            if special(other, "__iadd__") is not None:
                return NotImplemented
            raise

    # If the object does not support `with`, a `with` statement raises the interpreter's error for it.

    def __enter__(self) -> Any:
        wrapped = self.__wrapped__
        enter = special(wrapped, "__enter__")
        if enter is None or special(wrapped, "__exit__") is None:
            with wrapped:
                pass  # pragma: no cover - the interpreter raises before it comes here
        return enter()

    def __exit__(self, *error: Any) -> Any:
        return required(self.__wrapped__, "__exit__")(*error)

    def __aenter__(self) -> Any:
        wrapped = self.__wrapped__
        enter = special(wrapped, "__aenter__")
        if enter is None or special(wrapped, "__aexit__") is None:
            _enter(wrapped).send(None)
        return enter()

    def __aexit__(self, *error: Any) -> Any:
        return required(self.__wrapped__, "__aexit__")(*error)


def _in_place(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # wrapt's own methods put the result into the proxy, which other code holds too. Here the result is that of the
    # object's operator: a new number, or the same list, extended.
    def method(self: Any, other: Any) -> Any:
        if issubclass(type(other), BaseObjectProxy):
            other = other.__wrapped__
        return operate(self.__wrapped__, other)

    return method


BINARY = ("add", "and", "floordiv", "lshift", "matmul", "mod", "mul", "or", "pow", "rshift", "sub", "truediv", "xor")
for _name in BINARY:
    setattr(ProxyMethods, f"__i{_name}__", _in_place(getattr(operator, f"i{_name}")))


def _static_dict(self: Any) -> dict[str, Any]:
    """Return the attributes that `inspect.getattr_static` finds in the object, as a dict.

    It takes a lazy class for an instance, and does not search its bases.
    """
    wrapped = self.__wrapped__
    if is_class(wrapped):
        return all_entries_of(wrapped)
    found = wrapped.__dict__
    return found if issubclass(type(found), dict) else dict(found)


def shared_methods() -> dict[str, Any]:
    """Return the entries that a class of proxies copies from `ProxyMethods`."""
    of_every_class = vars(type("Empty", (), {})).keys() | {"__qualname__", "__static_attributes__", "__firstlineno__"}
    methods = {name: entry for name, entry in vars(ProxyMethods).items() if name not in of_every_class}
    return {**methods, "_self_static_dict": _static_dict}


#: `inspect.getattr_static` reads a `__dict__` only if its descriptor is in C, like wrapt's and our native one. So of
#: proxies in Python, only those that may stand for a class have this property: wrapt's descriptor returns the class's
#: `__dict__`, which is not a dict.
STATIC_DICT = property(_static_dict)


async def _enter(wrapped: Any) -> None:
    async with wrapped:
        pass  # pragma: no cover - the interpreter raises before it comes here


# Special methods that wrapt's proxy lacks. A class has them or not, and Python looks at that. Each performs the
# operation on the object, so that an error is the object's own.


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


def _buffer(self: Any, flags: int) -> memoryview:  # pragma: no cover - from Python 3.12 on
    return memoryview(self.__wrapped__)


def _get(self: Any, instance: object, owner: type | None = None) -> Any:
    wrapped = self.__wrapped__
    get = special(wrapped, "__get__")
    return wrapped if get is None else get(instance, owner)


def _set(self: Any, instance: object, value: Any) -> None:
    required(self.__wrapped__, "__set__")(instance, value)


def _delete(self: Any, instance: object) -> None:
    required(self.__wrapped__, "__delete__")(instance)


def _set_name(self: Any, owner: type, name: str) -> None:
    required(self.__wrapped__, "__set_name__")(owner, name)


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
if sys.version_info >= (3, 12):  # pragma: no cover - coverage is measured on 3.10
    ALWAYS["__buffer__"] = _buffer

# Only for an interface that has them. A proxy may be a plain value in a class body. With a `__set__` it would catch
# assignments to that attribute of instances, and with a `__set_name__` creating the class would touch it.
_ON_REQUEST: dict[str, Callable[..., Any]] = {"__set__": _set, "__delete__": _delete, "__set_name__": _set_name}
OPTIONAL = {**ALWAYS, **_ON_REQUEST}

#: The functions that C calls for an object that lacks the slot.
FALLBACKS: dict[str, Callable[..., Any]] = {
    "_self_await": _await,
    "_self_aiter": _aiter,
    "_self_anext": _anext,
    "_self_enter": ProxyMethods.__enter__,
    "_self_aenter": ProxyMethods.__aenter__,
}


class OfInterface:
    """A class attribute that is read from the interface, for code that looks at the type of an object.

    For example, `dataclasses.asdict(P)` reads `type(P).__dataclass_fields__`. The interface is held weakly.
    """

    NAMES = ("__dataclass_fields__", "__dataclass_params__", "__attrs_attrs__", "__match_args__")

    def __init__(self, interface: type, name: str) -> None:
        self.interface = ref(interface)
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(self.interface(), self.name)


def _lacks_trunc(self: Any) -> Any:
    """Raise the error of `math.trunc`. Before Python 3.14, `int(P)` calls a `__trunc__` if there is one, and warns."""
    raise TypeError(f"type {type(self)._self_type_name} doesn't define __trunc__ method")


LACKS_TRUNC = property(_lacks_trunc)


def _lacking(enter: str, leave: str, statement: str) -> Callable[[Any], Any]:
    """Return the method `enter` of a proxy whose interface lacks the method `leave`.

    The interpreter looks up both before it calls this one. So if the object, unlike the interface, has both, it would
    be entered and never left.
    """
    enter_object = getattr(ProxyMethods, enter)

    def method(self: Any) -> Any:
        wrapped = self.__wrapped__
        if special(wrapped, leave) is None:
            return enter_object(self)
        name = name_of_class(type(wrapped))
        raise TypeError(
            f"the interface of the lazy_global P lacks {leave}, which its {name!r} object has: "
            f"write `{statement} P.__wrapped__:`, or give lazy_global() {name} as its interface"
        )

    return method


LACKS_EXIT = _lacking("__enter__", "__exit__", "with")
LACKS_AEXIT = _lacking("__aenter__", "__aexit__", "async with")
