# The public names for type checkers. `tests/typing_api.py` says what they must infer; stubtest compares this file with
# the code.
#
# The overloads overlap on purpose: a function without parameters, or with a class as its parameter, is also a
# Callable[..., T]. The first overload that fits is the right one.
# mypy: disable-error-code="overload-cannot-match, overload-overlap"
# pyright: reportOverlappingOverload=false

from collections.abc import Awaitable, Callable, Coroutine, Hashable
from types import GenericAlias
from typing import (
    Any,
    ClassVar,
    Concatenate,
    Final,
    Generic,
    Literal,
    Protocol,
    overload,
    runtime_checkable,
    type_check_only,
)

from typing_extensions import ParamSpec, Self, TypeVar

__all__ = [
    "AlreadySetError",
    "Cell",
    "DeadlockError",
    "GILOnceCell",
    "LoopOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "__implementation__",
    "__version__",
    "cell_of",
    "lazy_global",
    "once",
    "once_per_args",
    "once_property",
]

__version__: str
__implementation__: Literal["native", "python"]

# True for mypy, which goes by the name, and for no other checker.
MYPY: Final = False

# Without the default, mypy infers Never for a class method that returns Self, and checks nothing after that.
_T = TypeVar("_T", default=Any)
_C = TypeVar("_C")
_C_contra = TypeVar("_C_contra", contravariant=True)
_T_co = TypeVar("_T_co", covariant=True)

_D = TypeVar("_D")
_V = TypeVar("_V")
_W = TypeVar("_W")
_F = TypeVar("_F")
# _Own or _Chosen: the type of the `cell` attribute depends on it.
_K = TypeVar("_K", default=_Own)

# The parameters of a function; those of a method, without the instance or class.
_P = ParamSpec("_P")
_Q = ParamSpec("_Q")

class AlreadySetError(RuntimeError):
    def __init__(self, message: str, value: object) -> None: ...
    @property
    def value(self) -> object: ...

class GILOnceCell(Generic[_V]):
    final: bool
    def __init__(self, *, discard: Callable[[_V], object] | None = None) -> None: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    @overload
    def get(self, default: None = None) -> _V | None: ...
    @overload
    def get(self, default: _D) -> _V | _D: ...
    def is_set(self) -> bool: ...
    def get_or_init(self, initializer: Callable[[], _V], /) -> _V: ...
    async def aget_or_init(self, initializer: Callable[[], Awaitable[_V]], /) -> _V: ...
    def set(self, value: _V, /) -> None: ...
    @overload
    def take(self, default: None = None) -> _V | None: ...
    @overload
    def take(self, default: _D) -> _V | _D: ...
    def override(self, value: _F, /) -> _Override[_F]: ...
    def import_attr(self, module: str, attr: str) -> _V: ...
    def __deepcopy__(self, memo: dict[int, Any]) -> Self: ...

# The other cells. At runtime, each is in a module of its own, which is imported on first use.

class DeadlockError(RuntimeError): ...

class OnceLock(GILOnceCell[_V]):
    timeout: float | None
    def __init__(self, *, timeout: float | None = None) -> None: ...

class ProcessOnceCell(GILOnceCell[_V]):
    def __copy__(self) -> Self: ...

class _SplitCell(Generic[_V]):
    final: bool
    def __init__(self, *, discard: Callable[[_V], object] | None = None) -> None: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    @overload
    def get(self, default: None = None) -> _V | None: ...
    @overload
    def get(self, default: _D) -> _V | _D: ...
    def is_set(self) -> bool: ...
    def get_or_init(self, initializer: Callable[[], _V], /) -> _V: ...
    async def aget_or_init(self, initializer: Callable[[], Awaitable[_V]], /) -> _V: ...
    def set(self, value: _V, /) -> None: ...
    @overload
    def take(self, default: None = None) -> _V | None: ...
    @overload
    def take(self, default: _D) -> _V | _D: ...
    def override(self, value: _F, /) -> _Override[_F]: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: dict[int, Any]) -> Self: ...

class ThreadOnceCell(_SplitCell[_V]): ...
class LoopOnceCell(_SplitCell[_V]): ...

@runtime_checkable
class Cell(Protocol[_W]):
    @property
    def final(self) -> bool: ...
    def get(self, default: Any = None, /) -> Any: ...
    def is_set(self) -> bool: ...
    def get_or_init(self, initializer: Callable[[], _W], /) -> _W: ...
    async def aget_or_init(self, initializer: Callable[[], Awaitable[_W]], /) -> _W: ...
    def set(self, value: _W, /) -> None: ...
    def take(self, default: Any = None, /) -> Any: ...

class _Override(Generic[_V]):
    # What override() returns. A function or class that it decorates keeps its type.
    def __enter__(self) -> _V: ...
    def __exit__(self, *error: object) -> None: ...
    async def __aenter__(self) -> _V: ...
    async def __aexit__(self, *error: object) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

@type_check_only
class _ChosenCell(Cell[_W], Protocol[_W]):
    # A cell that cell= made. It has override(), as every cell of gilonce has.
    def override(self, value: _F, /) -> _Override[_F]: ...

def cell_of(owner: object, name: str, /) -> GILOnceCell[Any]: ...

@type_check_only
class _Own:
    # Marks a once function whose cell is a GILOnceCell.
    ...

@type_check_only
class _Chosen:
    # Marks a once function whose cell was made by cell=.
    ...

class _Cell:
    # The type of the attribute `cell`: a descriptor, because a property cannot have overloads. The cell of an async def
    # holds the awaited value.
    @overload
    def __get__(
        self, instance: _Once[Coroutine[Any, Any, _T], _Own], owner: type | None = None, /
    ) -> GILOnceCell[_T]: ...
    @overload
    def __get__(self, instance: _Once[_T, _Own], owner: type | None = None, /) -> GILOnceCell[_T]: ...
    @overload
    def __get__(
        self, instance: _Once[Coroutine[Any, Any, _T], _Chosen], owner: type | None = None, /
    ) -> _ChosenCell[_T]: ...
    @overload
    def __get__(self, instance: _Once[_T, _Chosen], owner: type | None = None, /) -> _ChosenCell[_T]: ...

class _Once(Generic[_T_co, _K]):
    # A function or a bound method: it is called without arguments and has one cell.
    __name__: str
    __qualname__: str
    cell: ClassVar[_Cell]
    @property
    def __wrapped__(self) -> Callable[..., _T_co]: ...
    def __call__(self) -> _T_co: ...

class _OnceMethod(Generic[_T_co, _K]):
    # A method, read from its class. Reading it from an instance binds it.
    __name__: str
    __qualname__: str
    @property
    def __wrapped__(self) -> Callable[..., _T_co]: ...
    # Mypy accepts @property above @once only if the instance is required. Pyright accepts the attribute as the method of a
    # Protocol only if it is not, because it compares the two before binding. Only mypy takes the first branch.
    if MYPY:
        def __call__(self, instance: Any, /) -> _T_co: ...
    else:
        def __call__(self, instance: Any = ..., /) -> _T_co: ...

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> _Once[_T_co, _K]: ...

class _OnceClassMethod(Generic[_T_co, _K]):
    # A class method, which the class binds as well. It is recognised by its first parameter. Pyright accepts
    # @classmethod above it only if it is callable.
    def __call__(self, cls: type, /) -> _T_co: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> _Once[_T_co, _K]: ...

class _OnceEither(_Once[_T_co, _K]):
    # A method or class method whose `self` or `cls` may be any object. The types do not say whether the class binds it.
    # One that returns its `self: T` returns Any here. It is recognised by an _Own, a type that only we have.
    def __call__(self, instance: Any = ..., /) -> _T_co: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> _Once[_T_co, _K]: ...

class _OnceDecorator(Generic[_K]):
    # The decorator that once(discard=...) and once(cell=...) return.
    @overload
    def __call__(self, func: Callable[[], _T], /) -> _Once[_T, _K]: ...
    @overload
    def __call__(self, func: Callable[[_Own], _Own], /) -> _OnceEither[Any, _K]: ...
    @overload
    def __call__(self, func: Callable[[object], _T], /) -> _OnceEither[_T, _K]: ...
    @overload
    def __call__(self, func: Callable[[type[_C]], _T], /) -> _OnceClassMethod[_T, _K]: ...
    @overload
    def __call__(self, func: Callable[..., _T], /) -> _OnceMethod[_T, _K]: ...

class _OnceMethodDecorator(Generic[_K]):
    # The decorator that once(slot=...) returns. Only a method has an instance with slots.
    def __call__(self, func: Callable[[Any], _T], /) -> _OnceMethod[_T, _K]: ...

@overload
def once(
    func: Callable[[], _T], /, *, slot: None = None, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _Once[_T]: ...
@overload
def once(
    func: Callable[[_Own], _Own],
    /,
    *,
    slot: None = None,
    discard: Callable[[Any], object] | None = None,
    cell: None = None,
) -> _OnceEither[Any]: ...
@overload
def once(
    func: Callable[[object], _T],
    /,
    *,
    slot: None = None,
    discard: Callable[[Any], object] | None = None,
    cell: None = None,
) -> _OnceEither[_T]: ...
@overload
def once(
    func: Callable[[type[_C]], _T],
    /,
    *,
    slot: None = None,
    discard: Callable[[Any], object] | None = None,
    cell: None = None,
) -> _OnceClassMethod[_T]: ...
@overload
def once(
    func: Callable[..., _T], /, *, slot: None = None, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceMethod[_T]: ...
@overload
def once(
    func: None = None, /, *, slot: None = None, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceDecorator: ...
@overload
def once(
    func: Callable[[], _T], /, *, slot: None = None, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _Once[_T, _Chosen]: ...
@overload
def once(
    func: Callable[[_Own], _Own], /, *, slot: None = None, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceEither[Any, _Chosen]: ...
@overload
def once(
    func: Callable[[object], _T], /, *, slot: None = None, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceEither[_T, _Chosen]: ...
@overload
def once(
    func: Callable[[type[_C]], _T], /, *, slot: None = None, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceClassMethod[_T, _Chosen]: ...
@overload
def once(
    func: Callable[..., _T], /, *, slot: None = None, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceMethod[_T, _Chosen]: ...
@overload
def once(
    func: None = None, /, *, slot: None = None, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceDecorator[_Chosen]: ...
@overload
def once(
    func: Callable[[Any], _T], /, *, slot: str, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceMethod[_T]: ...
@overload
def once(
    func: None = None, /, *, slot: str, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceMethodDecorator: ...
@overload
def once(
    func: Callable[[Any], _T], /, *, slot: str, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceMethod[_T, _Chosen]: ...
@overload
def once(
    func: None = None, /, *, slot: str, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceMethodDecorator[_Chosen]: ...

# The checkers do not show a decorator whether a function is a method, a class method or a static method, and
# Callable[Concatenate[...], ...] loses the name of the first parameter. So a _PerArgs keeps all parameters, and reading it
# from a class or an instance asks which of the two the first parameter accepts. A function in whose place both would do
# is a _PerArgsEither.

class _Takes(Protocol[_C_contra, _P, _T_co]):
    # A _PerArgs whose first parameter accepts a _C_contra. A protocol, because ty and pyrefly compare the parameters of a
    # class by name as well.
    def __call__(self, first: _C_contra, /, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...

class _PerArgsBase(Generic[_T_co, _K]):
    __name__: str
    __qualname__: str
    @property
    def __wrapped__(self) -> Callable[..., _T_co]: ...
    # The cells of an async def hold the awaited values.
    @overload
    def take_all(self: _PerArgsBase[Coroutine[Any, Any, _T], _K]) -> list[_T]: ...
    @overload
    def take_all(self) -> list[_T_co]: ...
    def cache_clear(self) -> None: ...

class _PerArgs(_PerArgsBase[_T_co, _K], Generic[_P, _T_co, _K]):
    # A function, a method as the class gives it, or a bound method: it has the parameters that are left.
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...
    @overload
    def cell(
        self: _PerArgs[_P, Coroutine[Any, Any, _T], _Own], *args: _P.args, **kwargs: _P.kwargs
    ) -> GILOnceCell[_T]: ...
    @overload
    def cell(self: _PerArgs[_P, _T, _Own], *args: _P.args, **kwargs: _P.kwargs) -> GILOnceCell[_T]: ...
    @overload
    def cell(self: _PerArgs[_P, Coroutine[Any, Any, _T], _Chosen], *args: _P.args, **kwargs: _P.kwargs) -> Cell[_T]: ...
    @overload
    def cell(self: _PerArgs[_P, _T, _Chosen], *args: _P.args, **kwargs: _P.kwargs) -> Cell[_T]: ...
    # The first parameter accepts every class, every class of `owner`, or every `instance`; else the function is static, or
    # a method that is read from its class. Pyrefly needs the overloads of each branch together.
    if MYPY:
        @overload
        def __get__(
            self: _Takes[type[object], _Q, _T], instance: object, owner: type | None = None, /
        ) -> _PerArgsEither[_P, _Q, _T_co, _K]: ...
        @overload
        def __get__(
            self: _Takes[type[Any], _Q, _T], instance: object, owner: type[_AcceptsNever[_T]], /
        ) -> _PerArgsBound[_P, _T_co, _K]: ...
        @overload
        def __get__(
            self: _Takes[_C, _Q, _T], instance: _C, owner: type[_AcceptsNever[_T]], /
        ) -> _PerArgsBound[_P, _T_co, _K]: ...
        @overload
        def __get__(self: _Takes[_C, _Q, _T], instance: object, owner: _C, /) -> _PerArgs[_Q, _T, _K]: ...
        @overload
        def __get__(self: _Takes[_C, _Q, _T], instance: _C, owner: type | None = None, /) -> _PerArgs[_Q, _T, _K]: ...
        @overload
        def __get__(self, instance: object, owner: type | None = None, /) -> Self: ...
    else:
        @overload
        def __get__(
            self: _Takes[type[object], _Q, _T], instance: object, owner: type | None = None, /
        ) -> _PerArgsEither[_P, _Q, _T_co, _K]: ...
        @overload
        def __get__(self: _Takes[_C, _Q, _T], instance: object, owner: _C, /) -> _PerArgs[_Q, _T, _K]: ...
        @overload
        def __get__(self: _Takes[_C, _Q, _T], instance: _C, owner: type | None = None, /) -> _PerArgs[_Q, _T, _K]: ...
        @overload
        def __get__(self, instance: object, owner: type | None = None, /) -> Self: ...

class _PerArgsEither(_PerArgsBase[_T_co, _K], Generic[_P, _Q, _T_co, _K]):
    # A static method whose first parameter is an object, a type[T] or the like, or a method whose `self` or `cls` is: it
    # takes the arguments of both. For mypy, this is also a method that returns Self, hence the first Any.
    @overload
    def __call__(self, *args: _Q.args, **kwargs: _Q.kwargs) -> Any: ...
    @overload
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T_co: ...
    def cell(self, *args: Any, **kwargs: Any) -> Any: ...

if MYPY:
    # Mypy cannot infer the _Q of a generic method, and has Never for _Q and _T. Such a method keeps all its parameters
    # when it is bound, and drops the first at a call.
    class _AcceptsNever(Protocol[_C_contra]):
        # Every object is one, if _C_contra is Never or Any: no other type is a subtype of these two parameters' types.
        def __format__(self, format_spec: _C_contra, /) -> str: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        def __reduce_ex__(self, protocol: _C_contra, /) -> str | tuple[Any, ...]: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]

    class _PerArgsBound(_PerArgsBase[_T_co, _K], Generic[_P, _T_co, _K]):
        def __call__(self: _PerArgsBound[Concatenate[Any, _Q], _T, _K], *args: _Q.args, **kwargs: _Q.kwargs) -> _T: ...
        @overload
        def cell(
            self: _PerArgsBound[Concatenate[Any, _Q], Coroutine[Any, Any, _T], _Own],
            *args: _Q.args,
            **kwargs: _Q.kwargs,
        ) -> GILOnceCell[_T]: ...
        @overload
        def cell(
            self: _PerArgsBound[Concatenate[Any, _Q], _T, _Own], *args: _Q.args, **kwargs: _Q.kwargs
        ) -> GILOnceCell[_T]: ...
        @overload
        def cell(
            self: _PerArgsBound[Concatenate[Any, _Q], Coroutine[Any, Any, _T], _Chosen],
            *args: _Q.args,
            **kwargs: _Q.kwargs,
        ) -> Cell[_T]: ...
        @overload
        def cell(
            self: _PerArgsBound[Concatenate[Any, _Q], _T, _Chosen], *args: _Q.args, **kwargs: _Q.kwargs
        ) -> Cell[_T]: ...

class _PerArgsDecorator(Generic[_K]):
    # What once_per_args(key=...) and once_per_args(cell=...) return.
    def __call__(self, function: Callable[_P, _T], /) -> _PerArgs[_P, _T, _K]: ...

@overload
def once_per_args(
    function: Callable[_P, _T],
    /,
    *,
    key: Callable[..., Hashable] | None = None,
    typed: bool = False,
    discard: Callable[[Any], object] | None = None,
    cell: None = None,
) -> _PerArgs[_P, _T]: ...
@overload
def once_per_args(
    function: None = None,
    /,
    *,
    key: Callable[..., Hashable] | None = None,
    typed: bool = False,
    discard: Callable[[Any], object] | None = None,
    cell: None = None,
) -> _PerArgsDecorator: ...
@overload
def once_per_args(
    function: Callable[_P, _T],
    /,
    *,
    key: Callable[..., Hashable] | None = None,
    typed: bool = False,
    discard: None = None,
    cell: Callable[[], Cell[Any]],
) -> _PerArgs[_P, _T, _Chosen]: ...
@overload
def once_per_args(
    function: None = None,
    /,
    *,
    key: Callable[..., Hashable] | None = None,
    typed: bool = False,
    discard: None = None,
    cell: Callable[[], Cell[Any]],
) -> _PerArgsDecorator[_Chosen]: ...

class once_property(Generic[_T_co]):
    @overload
    def __new__(
        cls,
        func: Callable[[], _T],
        /,
        *,
        slot: str | None = None,
        discard: Callable[[Any], object] | None = None,
        cell: Callable[[], Cell[Any]] | None = None,
    ) -> _ClassProperty[_T]: ...
    @overload
    def __new__(
        cls,
        func: Callable[[_Own], _Own],
        /,
        *,
        slot: str | None = None,
        discard: Callable[[Any], object] | None = None,
        cell: Callable[[], Cell[Any]] | None = None,
    ) -> once_property[Any]: ...
    @overload
    def __new__(
        cls,
        func: Callable[[type[_C]], _T],
        /,
        *,
        slot: str | None = None,
        discard: Callable[[Any], object] | None = None,
        cell: Callable[[], Cell[Any]] | None = None,
    ) -> _ClassProperty[_T]: ...
    @overload
    def __new__(
        cls,
        func: Callable[..., _T_co],
        /,
        *,
        slot: str | None = None,
        discard: Callable[[Any], object] | None = None,
        cell: Callable[[], Cell[Any]] | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        func: None = None,
        /,
        *,
        slot: str | None = None,
        discard: Callable[[Any], object] | None = None,
        cell: Callable[[], Cell[Any]] | None = None,
    ) -> _PropertyDecorator: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    def __set_name__(self, owner: type, name: str, /) -> None: ...
    def __deepcopy__(self, memo: object, /) -> Self: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> _T_co: ...
    # Does not exist at runtime, where obj.x = v writes to the instance's __dict__. It declares the type of v.
    @type_check_only
    def __set__(self: once_property[_T], instance: object, value: _T, /) -> None: ...

class _ClassProperty(once_property[_T_co]):
    # A once_property on a class method or static method: reading it from the class returns the value as well.
    def __get__(self, instance: object, owner: type | None = None, /) -> _T_co: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]

class _PropertyDecorator(once_property[Any]):
    # The decorator that once_property(slot=..., discard=...) returns. It is a subclass only because mypy ignores a
    # `__new__` that returns anything else.
    @overload
    def __call__(self, func: Callable[[], _T], /) -> _ClassProperty[_T]: ...
    @overload
    def __call__(self, func: Callable[[_Own], _Own], /) -> once_property[Any]: ...
    @overload
    def __call__(self, func: Callable[[type[_C]], _T], /) -> _ClassProperty[_T]: ...
    @overload
    def __call__(self, func: Callable[..., _T], /) -> once_property[_T]: ...

def lazy_global(
    factory: Callable[[], _V],
    /,
    *,
    interface: type[object] | None = None,
    reify: bool = True,
    discard: Callable[[_V], object] | None = None,
    cell: Callable[[], Cell[Any]] | None = None,
) -> _V: ...
