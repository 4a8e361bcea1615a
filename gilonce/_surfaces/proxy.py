"""The proxy that `lazy_global` returns: wrapt's proxy, with the special methods that its object has.

The interpreter looks for special methods in the class of the proxy. So there is one class of proxies for every
interface, and a proxy changes its class as more is known of the object:

    ports = lazy_global(lambda: [80, 443], reify=False)
    type(ports).__name__, callable(ports)    # ('LazyProxy', True): nothing is known, so it may be anything
    len(ports)                               # 2: the first touch, which calls `stand_for`
    type(ports).__name__, callable(ports)    # ('list', False): the class of proxies for lists

Only this module, `proxy_methods` and `asking_proxy` import wrapt. The first `lazy_global()` call imports them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from weakref import ref

from wrapt import BaseObjectProxy

from .._cells.callables import name_of
from .._cells.racing import EMPTY, GILOnceCell
from .._native import replace_with_native
from .global_cell import follow_if_changed, holds, note_names, register_proxy, replace_names
from .interfaces import (
    changeable_names_of,
    entries_in,
    flags_of,
    implied_interface,
    mro_of,
    name_of_class,
    says_something,
    special_names_of,
)
from .proxy_methods import (
    ALWAYS,
    BINARY,
    FALLBACKS,
    LACKS_AEXIT,
    LACKS_EXIT,
    LACKS_TRUNC,
    OPTIONAL,
    STATIC_DICT,
    OfInterface,
    shared_methods,
)
from .recognised import is_looked_at_by_tool
from .reification import find_names, references_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def ask(proxy: Any) -> Any:
    """Return the value of the cell of `proxy`. If the cell is empty, the factory is run."""
    factory, cell = proxy._self_origin[:2]
    if not cell.is_set() and is_looked_at_by_tool():
        raise AttributeError(f"a tool that looks at whole modules does not run the factory {name_of(factory)}()")
    try:
        # The cell gets the factory itself, because no bytecode may run between the two (law 5).
        return cell.get_or_init(factory)
    except AttributeError as error:
        raise RuntimeError(
            f"the factory {name_of(factory)}() of a lazy_global raised AttributeError: {error}"
        ) from error


@replace_with_native
class LazyProxy(BaseObjectProxy):  # type: ignore[type-arg]
    # There is no docstring, because `P.__doc__` must be that of the object.
    locals().update(shared_methods() | FALLBACKS)
    _self_delattr = BaseObjectProxy.__delattr__

    def __init__(
        self,
        factory: Callable[[], Any],
        cell: GILOnceCell,
        namespace: dict[str, Any] | None,
        interface: type | None = None,
    ) -> None:
        BaseObjectProxy.__init__(self, None)
        # All in one attribute, because each assignment is a call into wrapt.
        self._self_origin = factory, cell, namespace, interface

    @property
    def _self_cell(self) -> GILOnceCell:
        return self._self_origin[1]

    # wrapt calls this hook to get the object. Only wrapt in C stores what it returns, so it is stored here. Threads
    # that race get one object from the cell, so it does not matter which of them stores it.

    def __wrapped_get__(self) -> Any:
        if self._self_outer is not None:
            value = self._self_outer.__wrapped_get__()
            stand_for(self, value)
            return value
        # Before there is a value; see `registry.py`.
        register_proxy(self)
        value = ask(self)
        check_end(self, value)
        # The names are replaced before `stand_for`, after which no touch calls this again. So if this is interrupted,
        # the next touch replaces them.
        namespace = self._self_origin[2]
        if namespace is not None:
            note_names(self, find_names(self, namespace, references_to(self)))
            # The search takes time, in which the cell may have been emptied or overridden.
            if holds(self, value):
                replace_names(self, value)
        stand_for(self, value)
        follow_if_changed(self, value)
        return value

    def _self_assign(self, value: object) -> None:
        """Assign `__wrapped__`. wrapt in C ends each touch by assigning the result, which may be out of date by then.

        So the cell decides: `P.__wrapped__ = value` has no effect if the cell holds another object.
        """
        if holds(self, value):
            check_end(self, value)
            self.__self_setattr__("__wrapped__", value)
            self._self_is_made = True
        follow_if_changed(self, value)

    #: In an inner proxy, this is the outer proxy, which was made to forget its object; see `forget`.
    _self_outer: Any = None


#: Whether the native core has replaced `LazyProxy`. It does that only if wrapt runs in C, too.
IS_NATIVE = type(vars(LazyProxy)["__getattribute__"]) is not type(ask)

#: In C, wrapt keeps the object of a proxy in a field. In Python, it is in the `__dict__`, which a property hides.
_wrapped: Any = vars(BaseObjectProxy).get("__wrapped__")
_namespace: Any = next(vars(cls)["__dict__"] for cls in reversed(BaseObjectProxy.__mro__) if "__dict__" in vars(cls))


def _store_object(proxy: Any, it: object) -> None:
    """Let wrapt keep `it` as the object of a proxy, whatever the class of the proxy says about `__wrapped__`."""
    if _wrapped is None:  # pragma: no cover - coverage is measured with wrapt in C
        _namespace.__get__(proxy)["__wrapped__"] = it
    else:
        _wrapped.__set__(proxy, it)


_set_class = object.__dict__["__class__"].__set__


def leads_back(value: Any, proxy: object) -> bool:
    """Return whether `value` is a proxy that stands for `proxy`, possibly through others, or for itself."""
    if not issubclass(type(value), LazyProxy):
        # Before a list is made, which 3.13 without a GIL does not survive if memory runs out.
        return False
    met = [proxy]
    while issubclass(type(value), LazyProxy):
        if any(value is known for known in met):
            return True
        met.append(value)
        # The cells have their values before any thread comes here. So of threads that close a circle, one finds it.
        value = value.__wrapped__ if value._self_is_made else value._self_cell.get(EMPTY)
    return False


def check_end(proxy: Any, value: object) -> None:
    """Raise RecursionError if `value` leads back to `proxy`. In C, operations would call themselves and crash."""
    if leads_back(value, proxy):
        factory = name_of(proxy._self_origin[0])
        raise RecursionError(f"the factory {factory}() of a lazy_global returned a proxy that leads back to itself")


def stand_for(proxy: Any, value: object) -> None:
    """Make a proxy stand for an object, whose type is the proxy's interface from now on."""
    if proxy._self_is_made is False:
        # So that `follow_cell` updates the proxy, should this be interrupted.
        proxy._self_is_made = None
    # The class comes first. If this is interrupted before the value is set, the next use comes here again.
    change_class(proxy, class_for(type(value)))
    # Not `proxy.__wrapped__ = value`: wrapt in Python would read attributes of the object.
    proxy.__self_setattr__("__wrapped__", value)
    proxy._self_is_made = True


def forget(proxy: Any) -> None:
    """Make a proxy untouched again: it has its declared interface, and its next touch reads its cell.

    wrapt's proxy in C cannot be emptied. So the proxy gets an untouched proxy as its object (the inner proxy), and a
    class whose `__wrapped__` reads the cell. An operation of wrapt's in C, which does not look at the class, touches
    the inner proxy, and that touches the outer one.
    """
    factory, cell, _, interface = proxy._self_origin
    inner = make_proxy(factory, interface, cell, None)
    inner._self_outer = proxy
    # The last inner proxies are kept alive. Another thread may still use one when the outer proxy gets its object.
    proxy._self_inner = [*proxy._self_inner[-15:], inner]
    declared = implied_interface(factory) if interface is None else interface
    proxy._self_is_made = None
    # The class comes first. With the earlier class, another thread would get the inner proxy as `__wrapped__`.
    change_class(
        proxy,
        _forgetful_with_all
        if declared is None
        else class_for(declared, known=_forgetful_by_interface, more=_FORGETFUL_ENTRIES),
    )
    _store_object(proxy, inner)


def _touch_again(proxy: Any) -> Any:
    return proxy.__wrapped_get__()


def _stay_untouched(proxy: Any, value: object) -> None:
    """Ignore the assignment of wrapt in C that ends a touch, if the cell was emptied during the touch."""


#: The additional entries of the class of a proxy that has forgotten its object.
_FORGETFUL_ENTRIES: dict[str, Any] = {"__wrapped__": property(_touch_again, _stay_untouched)}


def update(proxy: Any, value: object) -> None:
    """Update a touched proxy after its cell has changed. `value` is what the cell holds, or `EMPTY`."""
    # If the value leads back to the proxy, the next touch raises the error.
    if value is EMPTY or leads_back(value, proxy):
        forget(proxy)
    else:
        stand_for(proxy, value)


def is_ours(cls: type) -> bool:
    """Return whether this module made `cls`. A user may have derived a class from one that it made."""
    return "_self_update" in entries_in(cls)


def change_class(proxy: Any, proxy_class: type) -> None:
    """Give a proxy another class, unless a user has derived its class from ours."""
    if is_ours(type(proxy)) and type(proxy) is not proxy_class:
        _set_class(proxy, proxy_class)


# The classes.


def new_class(base: type, interface: type | None, name: str, entries: dict[str, Any]) -> Any:
    """Return a class of proxies with these entries. In C, it also lacks the slots that `interface` lacks."""
    metaclass: Any = type(base)
    if metaclass is not type:
        # The metaclass of wrapt in Python gives each class a property of this name, which touches. pydoc calls it.
        entries = {**entries, "__doc__": property(_doc_of)}
    made = metaclass(name, (base,), entries)
    # `match` looks at the flags of a class for sequences and mappings. In Python, a class gets them by registration.
    flags = 0 if interface is None else flags_of(interface)
    for flag, abstract in (_SEQUENCE, Sequence), (_MAPPING, Mapping):
        if flags & flag:
            abstract.register(made)
    return made


def _doc_of(proxy: Any) -> Any:  # pragma: no cover - coverage is measured with wrapt in C
    return proxy.__doc__


_SEQUENCE, _MAPPING = 1 << 5, 1 << 6
_native_new_class = replace_with_native(new_class)


def _new_class(base: type, interface: type | None, name: str, entries: dict[str, Any]) -> Any:
    return (_native_new_class if base is LazyProxy and IS_NATIVE else new_class)(base, interface, name, entries)


#: The special methods of wrapt's proxy, and of ours in C, that a class of proxies in C can lack.
_REMOVABLE = (
    *(f"__{prefix}{name}__" for name in (*BINARY, "divmod") for prefix in ("", "r")),
    *("__neg__", "__pos__", "__abs__", "__invert__", "__bool__", "__int__", "__float__", "__index__"),
    *("__len__", "__getitem__", "__setitem__", "__delitem__", "__contains__"),
)


def entries_for(interface: type | None, is_native: bool) -> dict[str, Any]:
    """Return the entries of the class of proxies for objects of class `interface`.

    An entry that is None hides a special method that `interface` lacks. In Python this works only for methods that the
    interpreter compares with None before it calls them. For `__len__` it does not, and the error of `len(P)` would be
    "'NoneType' object is not callable".
    """
    # The `repr` of a weak reference looks up `__name__` in the class. wrapt's descriptor raises an error if the object
    # has no name, and the interpreter turns that into a SystemError. None is not a name, and touches nothing.
    entries: dict[str, Any] = {"__module__": "gilonce", "_self_update": update, "__name__": None}
    bases = () if interface is None else mro_of(interface)
    if not is_native and (interface is None or type in bases):
        entries["__dict__"] = STATIC_DICT
    if interface is None:
        return {**entries, **ALWAYS}
    has = special_names_of(interface)
    if str in bases or bytes in bases:
        has.add("__fspath__")  # text and bytes are paths without having the method
    if not is_native and "__getitem__" in has:
        has.add("__iter__")  # in C, the proxy is iterated by its items, as the object is
    entries.update({name: method for name, method in OPTIONAL.items() if name in has})
    is_indexed = "__getitem__" in has
    lacking = {
        "__hash__": True,
        # The interpreter looks for both methods, and calls the first, which raises an error; see `LACKS_EXIT`.
        "__exit__": True,
        "__aexit__": True,
        # Because of wrapt's `__getitem__`, a proxy in Python would count as iterable.
        "__iter__": not is_native,
        # An object with items and a length can be reversed without the method.
        "__reversed__": not (is_indexed and "__len__" in has),
        "__contains__": not (is_indexed or "__iter__" in has),
    }
    if is_native:
        lacking.update(dict.fromkeys((*OPTIONAL, *_REMOVABLE), True))
    entries.update({name: None for name, may_lack in lacking.items() if may_lack and name not in has})
    entries.update({name: OfInterface(interface, name) for name in OfInterface.NAMES if name in has})
    if is_native and "__trunc__" not in has:
        entries["__trunc__"] = LACKS_TRUNC
    if "__exit__" not in has:
        entries["__enter__"] = LACKS_EXIT
    if "__aexit__" not in has:
        entries["__aenter__"] = LACKS_AEXIT
    return entries


def _constructor(interface: type | None, base: Any) -> Any:
    """Return a `__new__` that lets `type(P)(...)` make an instance of the interface, as generic code expects it to."""
    its_class: Any = None if interface is None else ref(interface)

    def new(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
        # A class that a user has derived from ours makes proxies.
        if not is_ours(cls):
            return base.__new__(cls)
        if its_class is None:
            raise TypeError(
                "type(P)() of a lazy_global P cannot know the class of its object: write P.__wrapped__ instead of P, "
                "or give lazy_global() an interface=..."
            )
        return its_class()(*args, **kwargs)

    return staticmethod(new)


#: By the `id` of an interface: the interface, its class of proxies, whether an annotation that is the interface says
#: something, and the special names that the class was made for. The interface is held weakly, and its entry goes with
#: it. The key is not the interface itself, because a metaclass can make hashing it run any code.
Classes = dict[int, tuple["ref[type]", "type[LazyProxy]", bool, "list[tuple[str, bool]]"]]

_by_interface: Classes = {}


def class_for(
    interface: type,
    base: type = LazyProxy,
    is_native: bool = IS_NATIVE,
    known: Classes = _by_interface,
    more: dict[str, Any] | None = None,
) -> type[LazyProxy]:
    """Return the class of proxies for objects of class `interface`, from `known` or new with `more` entries."""
    key = id(interface)
    names = changeable_names_of(interface)
    found = known.get(key)
    if found is not None and found[0]() is interface and found[3] == names:
        return found[1]
    entries = {**entries_for(interface, is_native), "__new__": _constructor(interface, base), **(more or {})}
    proxy_class = _new_class(base, interface, name_of_class(interface), entries)
    known[key] = ref(interface, partial(known.pop, key)), proxy_class, says_something(interface), names
    return proxy_class  # type: ignore[no-any-return]


def class_for_anything(base: type, is_native: bool, more: dict[str, Any] | None = None) -> type[LazyProxy]:
    """Return a new class of proxies for objects of which nothing is known."""
    entries = {**entries_for(None, is_native), "__new__": _constructor(None, base), **(more or {})}
    return _new_class(base, None, "LazyProxy", entries)  # type: ignore[no-any-return]


_with_all = class_for_anything(LazyProxy, IS_NATIVE)

#: The classes of proxies that have forgotten their objects.
_forgetful_by_interface: Classes = {}
_forgetful_with_all = class_for_anything(LazyProxy, IS_NATIVE, _FORGETFUL_ENTRIES)


@replace_with_native
def make_proxy(
    factory: Callable[[], Any], interface: type | None, cell: GILOnceCell, namespace: dict[str, Any] | None
) -> LazyProxy:
    """Return a proxy for the object that `factory` makes. Its first touch replaces it by the object in `namespace`."""
    declared = implied_interface(factory) if interface is None else interface
    proxy_class = _with_all if declared is None else class_for(declared)
    proxy: LazyProxy = LazyProxy.__new__(proxy_class)
    LazyProxy.__init__(proxy, factory, cell, namespace, interface)
    return proxy


# The first touch of all is that of a proxy to which only a dict refers. It tells `references_to` how many references
# a touch holds.
_names: dict[str, Any] = {}
_names["PROXY"] = make_proxy(object, None, GILOnceCell(), _names)
bool(_names["PROXY"])
