"""`@once_per_args`: a callable that computes its value once for each set of arguments.

A call makes a key of its arguments (`binding`) and finds the one cell of that key in a table (`keyed`). The cell calls
the function. A function has one table. A method has a table in each instance, and a class method one in each class.

The idea is that of `functools.cache`. The cells are pyo3's `GILOnceCell`.
"""

from __future__ import annotations

from types import FunctionType, MethodType

from .._cells.arguments import check_discard
from .._cells.callables import (
    attributes_of,
    binds,
    is_coroutine_function,
    is_generator_function,
    method_type_of,
    name_of,
)
from .._cells.public import hide_annotations, public
from .._cells.racing import EMPTY
from .._cells.registry import register
from .._native import implementation, replace_with_native
from .._storage.bound import is_class
from .._storage.keyed import KeyedDefinition
from .call_keys import Keys
from .disguise import (
    ON_CELL,
    Derived,
    FunctionUnder,
    bound_dir,
    bound_eq,
    bound_hash,
    bound_reduce,
    get_behind,
    instance_check,
    leads_to,
    mro_entries,
    shown_in_code,
    subclass_check,
    surface_dir,
)
from .pickling import class_for_callers, decorated, is_pickled_by_value, is_static_method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from .._cells.racing import Discard


@public
def once_per_args(
    function: Any = None,
    /,
    *,
    key: Callable[..., Hashable] | None = None,
    typed: bool = False,
    discard: Discard = None,
    cell: Callable[[], Any] | None = None,
) -> Any:
    """Make a callable compute its value once for each set of arguments, without ever blocking.

    Threads that make the first call with the same arguments at the same time may each run the function.
    The first to finish publishes its value, and every call with these arguments, in every thread, returns that object.

    Arguments are bound to the signature first. So the same arguments are one key, whether a call gives them by
    position, by keyword, or leaves them to their defaults. Keys are equal if `==` and `hash` say so.

    There is one value per arguments

    * per process, for a function, a static method, and any other callable;
    * per instance, for a method. The values are in the instance's `__dict__`, and the instance need not be hashable;
    * per class, for a class method. A subclass has its own values.

    Values are kept until `take_all()` empties the cells. Their number is not limited, and they do not expire.

    Parameters:
        function: a callable. Every call of an `async def` returns a coroutine.
        key: called with the arguments of a call, without the instance or class, to compute its key.
        typed: whether arguments of different types are different keys, for example 1 and 1.0.
        discard: called with each value that lost the race; see `GILOnceCell`.
        cell: a callable that makes the cell of each key. The default is `GILOnceCell`. With `OnceLock`, the function
            runs exactly once for each key.

    Returns:
        An object that looks like `function`. `.cell(*args, **kwargs)` is the one cell of these arguments. `.take_all()`
        empties all cells and returns the values that they held, and `.cache_clear()` does the same and returns None. A
        method has these three on `obj.m`, and a class method on `Cls.m`. Without `function`, a decorator.

    Raises:
        TypeError: at decoration, if `function` is not callable or is a generator function, if `key` is not callable,
            or if `cell` does not make cells or comes with `discard`. At a call, if the arguments do not fit
            the signature, or one of them cannot be hashed.
        BaseException: at a call, whatever `function` raised, unchanged; the next call tries again.

    >>> @once_per_args
    ... def get_client(region, *, profile="default"):
    ...     print("connecting to", region)
    ...     return object()
    >>> get_client("eu") is get_client(region="eu", profile="default")
    connecting to eu
    True
    >>> get_client.cell("us").is_set()
    False
    >>> len(get_client.take_all())
    1
    """
    if key is not None and not callable(key):
        raise TypeError(
            f"once_per_args(key=...) takes a callable that makes a key of the arguments, not {key!r} "
            f"({type(key).__name__})"
        )
    if cell is not None:
        from .._storage.cell_option import make_checked_cell

        make_checked_cell(cell, discard, "once_per_args")
    elif discard is not None:
        check_discard(discard, "once_per_args")

    def decorate(function: Any) -> Any:
        wrapped, binds_to = classify(function)
        cls = OncePerArgsMethod if takes_owner(wrapped, binds_to) is None else OncePerArgs
        if implementation == "python":
            from .generated_calls import Generated

            return Generated(function, key, bool(typed), discard, cell)._public()
        return cls(function, key, bool(typed), discard, cell)

    return decorate if function is None else decorate(function)


class Call:
    """An initializer that calls a function with given arguments. Messages show the function and the arguments."""

    __slots__ = ("_args", "_function", "_hidden", "_kwargs")

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], hidden: int) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        #: How many arguments messages leave out: 1 for the owner, or 0.
        self._hidden = hidden

    def __call__(self) -> Any:
        return self._function(*self._args, **self._kwargs)

    def __getattr__(self, name: str) -> str:
        # Computed only when a message needs it. A property of this name would also be the class's `__qualname__`.
        if name != "__qualname__":
            raise AttributeError(name)
        # Not the built-in `repr`, whose result may be long, and which may raise.
        from reprlib import repr as shorten

        shown = [shorten(argument) for argument in self._args[self._hidden :]]
        shown += [f"{name}={shorten(argument)}" for name, argument in self._kwargs.items()]
        return f"{name_of(self._function)}({', '.join(shown)})"


#: These ask no metaclass, which may be a user's.
_mro_of: Any = type.__dict__["__mro__"].__get__
_namespace_of: Any = type.__dict__["__dict__"].__get__
_flags_of: Any = type.__dict__["__flags__"].__get__
#: `Py_TPFLAGS_HEAPTYPE`. A class without this flag takes no attributes, and has no base class that does.
_HEAP_TYPE = 1 << 9

_doc: Any = Derived(lambda once: getattr(once._function, "__doc__", None))
_module: Any = Derived(lambda once: getattr(once._function, "__module__", ""), __name__)


def _explain_arguments(method: Callable[[Any], Any]) -> Any:
    """Let a method that empties all cells raise an error that says how to empty some."""

    def explaining(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            raise TypeError(
                f"{method.__name__}() takes no arguments, because it empties the cells of all: "
                f"for some arguments, write {shown_in_code(self)}.cell(...).take()"
            )
        return method(self)

    # `help()` and `inspect.signature` show the signature of the function behind `__wrapped__`.
    explaining.__wrapped__ = method  # type: ignore[attr-defined]
    explaining.__doc__ = method.__doc__
    explaining.__name__ = method.__name__
    explaining.__qualname__ = method.__qualname__
    return explaining


def _explain_uses_without_arguments(method: Any) -> Any:
    """Let `f.cell.take()` raise an error that helps: the bound method `f.cell` has the attributes of its function."""

    def explaining(code: str) -> Callable[..., Any]:
        def explain(*_: object, **__: object) -> Any:
            raise TypeError(
                f"there is a cell for each set of arguments, so .cell is a method: write f.cell(...).{code}"
            )

        return explain

    for name, code in ON_CELL.items():
        setattr(method, name, explaining(code))
    return method


@replace_with_native
@hide_annotations
class OncePerArgs:
    """The object that `once_per_args` returns. It looks like the function that it wraps."""

    # The `__dict__` is for attributes that users and other decorators set.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_binds_to",
        "_definition",
        "_function",
        "_is_async",
        "_key_function",
        "_keys",
        "_may_have_other_name",
        "_owned_keys",
        "_table",
        "_takes_owner",
    )

    def __init__(
        self,
        function: Any,
        key: Callable[..., Hashable] | None,
        typed: bool,
        discard: Discard,
        cell: Callable[[], Any] | None,
    ) -> None:
        self._function, self._binds_to = classify(function)
        self.__dict__.update(attributes_of(function) or {})
        self._is_async = is_coroutine_function(self._function)
        self._key_function = key
        self._definition = define(self._function, discard, cell)
        self._table: Any = self._definition.make_table()
        #: Whether the first argument of a call is the owner, or None if this differs from call to call.
        self._takes_owner = takes_owner(self._function, self._binds_to)
        if not self._takes_owner:
            register(self._table)
        self._keys = Keys(self._function, False, typed, key)
        self._owned_keys = Keys(self._function, True, typed, key)
        binding = self._keys.binding
        self._finish(
            tuple([parameter.name for parameter in binding.parameters]),
            tuple([parameter.default for parameter in binding.parameters]),
            EMPTY,
            (self._keys.make, self._owned_keys.make),
            binding.positional,
            binding.positional_only,
            binding.is_plain and not typed and key is None,
            not self._definition.races,
        )

    def _finish(self, *_: object) -> None:
        """Do nothing. In C, keep what calls need to know about the function."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if self._has_owner(args):
            return self._ask_for(args[0], args, kwargs)
        return self._ask(self._table, self._keys, args, kwargs)

    @_explain_uses_without_arguments
    def cell(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the one cell of these arguments. Every call with them uses it."""
        if self._has_owner(args):
            return self._cell_for(args[0], args, kwargs)
        self._check_owner_is_known()
        keys = self._keys
        return keys.cell_of(self._table, keys.key_of(args, kwargs))

    @_explain_arguments
    def take_all(self) -> list[Any]:
        """Empty the cells of all arguments and return the values that they held."""
        if self._takes_owner:
            name = name_of(self._function)
            where = "class: use Cls" if self._binds_to == "class" else "instance: use obj"
            raise TypeError(f"{name}() keeps its values in each {where}.{self._function.__name__}.take_all()")
        self._check_owner_is_known()
        taken: list[Any] = self._table.take_all()
        return taken

    @_explain_arguments
    def cache_clear(self) -> None:
        """Empty the cells of all arguments, as `functools.cache` does: `take_all()`, which calls no `discard`."""
        self.take_all()

    def _check_owner_is_known(self) -> None:
        """Raise TypeError if a method was called on an instance or class that it does not know."""
        owner, advice = self._owned_keys.lost_owner
        if owner:
            name = name_of(self._function)
            raise TypeError(f"{name}() keeps its values in each {owner}, and cannot know which is meant: {advice}")

    def _public(self) -> Any:
        """Return what `once_per_args` has returned: this, or in Python a function that replaces this."""
        return self

    def _has_owner(self, args: tuple[Any, ...]) -> bool:
        """Return whether the first argument is the instance or class that the values belong to."""
        if not self._takes_owner:
            # It may be a method: under another decorator in a class body, or assigned to a class later.
            return self._binds_to == "instance" and bool(args) and self._is_method_of(args[0])
        if not args:
            raise TypeError(
                f"{name_of(self._function)}() is a method, whose values belong to an instance or class: call it on one"
            )
        return True

    def _is_method_of(self, first: Any) -> bool:
        """Return whether a class of `first` has this object, or a decorator over it, as a method."""
        if not (_flags_of(type(first)) & _HEAP_TYPE or is_class(first)):
            return False
        name = getattr(self._function, "__name__", "")
        for entry_type, classes in (
            (classmethod, _mro_of(first) if is_class(first) else ()),
            (object, _mro_of(type(first))),
        ):
            for cls in classes:
                entry = _namespace_of(cls).get(name)
                if entry is not None:
                    # `leads_to` first: for a lazy object, `isinstance` would compute its value.
                    if leads_to(entry, self) and isinstance(entry, entry_type) and not isinstance(entry, staticmethod):
                        if entry_type is classmethod:  # pragma: no cover - only where `Cls.m` is a bound method
                            self._owned_keys.lost_owner = "class", "put @once_per_args above @classmethod"
                        return True
                    break
        public = self._public()
        for cls in _mro_of(type(first)):
            # A class may have this under another name.
            entries = list(_namespace_of(cls).values())
            if any([entry is public for entry in entries]):  # noqa: C419 - no generator to drop
                return True
        return False

    def _ask_for(self, owner: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._ask(self._definition.table_of(owner), self._owned_keys, args, kwargs)

    def _cell_for(self, owner: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        keys = self._owned_keys
        key = keys.key_of(args, kwargs)
        return keys.cell_of(self._definition.table_of(owner), key)

    def _ask(self, table: Any, keys: Keys, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._ask_key(table, keys, keys.key_of(args, kwargs), args, kwargs)

    def _ask_key(self, table: Any, keys: Keys, key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        cell = keys.cell_of(table, key)
        call = Call(self._function, args, kwargs, 1 if keys.owned else 0)
        if not self._is_async:
            return cell.get_or_init(call)
        coroutine: Any = cell.aget_or_init(call)
        # The warning that a coroutine "was never awaited" shows this name.
        coroutine.__name__ = coroutine.__qualname__ = name_of(self._function)
        return coroutine

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if self._binds_to == "class":
            return BoundOncePerArgs(self, type(instance) if owner is None else owner)
        if self._binds_to == "instance" and instance is not None:
            return BoundOncePerArgs(self, instance)
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        if self._takes_owner is None:
            self._takes_owner = True
        # For C, which looks for this in the classes of an argument, but only by the name of the function.
        self._may_have_other_name = True

    # `__getattr__` looks up in the function what this class lacks. No class lacks these three, so they need an entry.

    __doc__ = _doc
    __module__ = _module
    __wrapped__ = Derived(lambda once: once._function)

    def __getattr__(self, name: str) -> Any:
        if name == "_function":
            raise AttributeError("once_per_args was not initialized: call once_per_args(function)", name=name, obj=self)
        if name == "__func__" and (self._binds_to == "class" or is_static_method(self)):
            return FunctionUnder.of(self)
        return get_behind(self, self._function, name, ".cell(...)")

    __dir__ = surface_dir

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return class_for_callers(self)

    __instancecheck__ = instance_check
    __subclasscheck__ = subclass_check
    __mro_entries__ = mro_entries

    def __repr__(self) -> str:
        return f"<once_per_args {name_of(self._function)}>"

    # A copy of a function is the function itself.

    def __copy__(self) -> OncePerArgs:
        return self

    def __deepcopy__(self, memo: object) -> OncePerArgs:
        return self

    def _check_pickled_by_value(self) -> None:
        """Do nothing. In Python, raise an error if this has generated code."""

    def __reduce__(self) -> Any:
        # The process that reads the pickle has values of its own.
        if is_pickled_by_value(self):
            self._check_pickled_by_value()
            options = self._key_function, self._keys.binding.typed, *self._definition.options
            return once_per_args_with, (decorated(self), *options), self.__dict__ or None
        return self.__qualname__


@replace_with_native
class OncePerArgsMethod(OncePerArgs):
    # For functions in the body of a class. The interpreter calls `obj.m()` without making a bound method first.
    # Only for C: the Python implementation has `Generated`.

    __slots__ = ()

    __doc__ = _doc
    __module__ = _module


@replace_with_native
@hide_annotations
class BoundOncePerArgs:
    # The result of `obj.m` and `Cls.m`. Like a bound method, it is made anew at each lookup.

    __slots__ = ("__func__", "__self__", "__weakref__")

    __doc__ = Derived(lambda bound: bound.__func__.__doc__)
    __module__ = Derived(lambda bound: bound.__func__.__module__)

    if TYPE_CHECKING:  # In Python, `Generated.__get__` makes it.

        def __init__(self, function: OncePerArgs, owner: object) -> None: ...

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__func__._ask_for(self.__self__, (self.__self__, *args), kwargs)

    @_explain_uses_without_arguments
    def cell(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the one cell of these arguments. Every call with them on this instance or class uses it."""
        return self.__func__._cell_for(self.__self__, (self.__self__, *args), kwargs)

    @_explain_arguments
    def take_all(self) -> list[Any]:
        """Empty the cells of this instance or class and return the values that they held."""
        taken: list[Any] = self.__func__._definition.table_of(self.__self__).take_all()
        return taken

    @_explain_arguments
    def cache_clear(self) -> None:
        """Empty the cells of this instance or class: `take_all()`, which calls no `discard`."""
        self.take_all()

    def __getattr__(self, name: str) -> Any:
        return get_behind(self, self.__func__, name, ".cell(...)")

    __dir__ = bound_dir
    __eq__ = bound_eq
    __hash__ = bound_hash
    __reduce__ = bound_reduce

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return MethodType if isinstance(self.__func__._function, FunctionType) else BoundOncePerArgs

    def __repr__(self) -> str:
        return f"<once_per_args {name_of(self.__func__)} of {self.__self__!r}>"


def classify(function: Any) -> tuple[Any, str]:
    """Return the callable in `function`, and to what it binds. Raise TypeError if `once_per_args` cannot wrap it."""
    method_type = method_type_of(function)
    wrapped = function if method_type is None else function.__func__
    if not callable(wrapped):
        raise TypeError(f"@once_per_args takes a callable, not {function!r} ({type(function).__name__})")
    if is_generator_function(wrapped):
        raise TypeError(
            f"@once_per_args cannot wrap the generator function {name_of(wrapped)}(): its one value would be an "
            "iterator that the first caller exhausts. Return a list or a tuple instead"
        )
    if method_type is classmethod:
        return wrapped, "class"
    return wrapped, "instance" if method_type is None and binds(wrapped) else "nothing"


def takes_owner(function: Any, binds_to: str) -> bool | None:
    """Return whether the first argument of `function` is the owner, or None if this differs from call to call."""
    if binds_to == "class":
        return True
    # A function in a class body is a method, unless a decorator above makes it a static method or something else.
    name = getattr(function, "__qualname__", None)
    path = str(name).rpartition(".")[0] if issubclass(type(name), str) else ""
    return None if binds_to == "instance" and path and not path.endswith("<locals>") else False


_ADVICE = "Add '__dict__' to the __slots__ of {owner_of_slots}, or decorate a function that takes the instance's data"


def define(function: object, discard: Discard, cell: Callable[[], Any] | None) -> KeyedDefinition:
    """Return what all tables of one function share."""
    if cell is None:
        return KeyedDefinition(function, discard, _ADVICE)
    from .._storage.keyed_cell_option import definition_of

    definition = definition_of(function, cell, cell(), _ADVICE)
    definition.options = None, cell
    return definition


def once_per_args_with(
    function: Any, key: Callable[..., Hashable] | None, typed: bool, discard: Discard, cell: Callable[[], Any] | None
) -> Any:
    """Return `function`, decorated with these options. A pickle by value refers to this by its name."""
    return once_per_args(function, key=key, typed=typed, discard=discard, cell=cell)
