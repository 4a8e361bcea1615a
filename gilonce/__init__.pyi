# The public face as type checkers see it. `tests/typing_api.py` is the contract; stubtest holds this file against the code.
#
# A function of no argument, or of a class, is also a Callable[..., T]: in these overloads, the first that fits is meant.
# mypy: disable-error-code="overload-cannot-match"
# pyright: reportOverlappingOverload=false

from collections.abc import Awaitable, Callable, Coroutine
from types import GenericAlias
from typing import Any, ClassVar, Generic, Literal, Protocol, overload, runtime_checkable, type_check_only

from typing_extensions import Self, TypeVar

__all__ = [
    "AlreadySetError",
    "Cell",
    "DeadlockError",
    "GILOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "__implementation__",
    "__version__",
    "lazy_global",
    "once",
    "once_property",
]

__version__: str
__implementation__: Literal["native", "python"]

# The default is for mypy, which cannot solve the Self of a class method: Any, where it would say Never and check no further.
_T = TypeVar("_T", default=Any)
_C = TypeVar("_C")
_T_co = TypeVar("_T_co", covariant=True)

_D = TypeVar("_D")
_V = TypeVar("_V")
_W = TypeVar("_W")
# Whose cell it is: _Own or _Chosen.
_K = TypeVar("_K", default=_Own)

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
    def import_attr(self, module: str, attr: str) -> _V: ...
    def __deepcopy__(self, memo: dict[int, Any]) -> Self: ...

# The other cells. At runtime, each is in a room of its own, imported when it is first asked for.

class DeadlockError(RuntimeError): ...

class OnceLock(GILOnceCell[_V]):
    timeout: float | None
    def __init__(self, *, timeout: float | None = None) -> None: ...

class ProcessOnceCell(GILOnceCell[_V]):
    def __copy__(self) -> Self: ...

class ThreadOnceCell(Generic[_V]):
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
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: dict[int, Any]) -> Self: ...

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

@type_check_only
class _Own:
    # Stands for: its cell is a GILOnceCell.
    ...

@type_check_only
class _Chosen:
    # Stands for: its cell is one that cell= made.
    ...

class _Cell:
    # The type of `cell`. A descriptor, because a property has no overloads: behind an async def, the cell holds the awaited value.
    @overload
    def __get__(
        self, instance: _Once[Coroutine[Any, Any, _T], _Own], owner: type | None = None, /
    ) -> GILOnceCell[_T]: ...
    @overload
    def __get__(self, instance: _Once[_T, _Own], owner: type | None = None, /) -> GILOnceCell[_T]: ...
    @overload
    def __get__(self, instance: _Once[Coroutine[Any, Any, _T], _Chosen], owner: type | None = None, /) -> Cell[_T]: ...
    @overload
    def __get__(self, instance: _Once[_T, _Chosen], owner: type | None = None, /) -> Cell[_T]: ...

class _Once(Generic[_T_co, _K]):
    # A function or a bound method: a call needs nothing more, and there is one cell.
    __name__: str
    __qualname__: str
    cell: ClassVar[_Cell]
    @property
    def __wrapped__(self) -> Callable[..., _T_co]: ...
    def __call__(self) -> _T_co: ...

class _OnceMethod(Generic[_T_co, _K]):
    # A method: the class gives it as it is, an instance binds it. The default is a fib for pyright, which matches an
    # attribute against a Protocol's method unbound.
    __name__: str
    __qualname__: str
    @property
    def __wrapped__(self) -> Callable[..., _T_co]: ...
    def __call__(self, instance: Any = ..., /) -> _T_co: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> _Once[_T_co, _K]: ...

class _OnceClassMethod(Generic[_T_co, _K]):
    # A class method, told by its first parameter: the class binds it too. Pyright wants it callable, for @classmethod above.
    def __call__(self, cls: type, /) -> _T_co: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> _Once[_T_co, _K]: ...

class _OnceDecorator(Generic[_K]):
    # What once(discard=...) and once(cell=...) return.
    @overload
    def __call__(self, func: Callable[[], _T], /) -> _Once[_T, _K]: ...
    @overload
    def __call__(self, func: Callable[[type[_C]], _T], /) -> _OnceClassMethod[_T, _K]: ...
    @overload
    def __call__(self, func: Callable[..., _T], /) -> _OnceMethod[_T, _K]: ...

@overload
def once(
    func: Callable[[], _T], /, *, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _Once[_T]: ...
@overload
def once(
    func: Callable[[type[_C]], _T], /, *, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceClassMethod[_T]: ...
@overload
def once(
    func: Callable[..., _T], /, *, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceMethod[_T]: ...
@overload
def once(
    func: None = None, /, *, discard: Callable[[Any], object] | None = None, cell: None = None
) -> _OnceDecorator: ...
@overload
def once(func: Callable[[], _T], /, *, discard: None = None, cell: Callable[[], Cell[Any]]) -> _Once[_T, _Chosen]: ...
@overload
def once(
    func: Callable[[type[_C]], _T], /, *, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceClassMethod[_T, _Chosen]: ...
@overload
def once(
    func: Callable[..., _T], /, *, discard: None = None, cell: Callable[[], Cell[Any]]
) -> _OnceMethod[_T, _Chosen]: ...
@overload
def once(func: None = None, /, *, discard: None = None, cell: Callable[[], Cell[Any]]) -> _OnceDecorator[_Chosen]: ...

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
    # Not there at runtime, where the instance's __dict__ takes the value: says that obj.x = v is allowed, and for which v.
    @type_check_only
    def __set__(self: once_property[_T], instance: object, value: _T, /) -> None: ...

class _ClassProperty(once_property[_T_co]):
    # A once_property on a class or static method: the class, too, gives the value.
    def __get__(self, instance: object, owner: type | None = None, /) -> _T_co: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]

class _PropertyDecorator(once_property[Any]):
    # What once_property(slot=..., discard=...) returns. A subclass only because mypy ignores any other result of __new__.
    @overload
    def __call__(self, func: Callable[[], _T], /) -> _ClassProperty[_T]: ...
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
