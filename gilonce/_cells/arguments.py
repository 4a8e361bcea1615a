"""The checks of what a user gives to a cell. Each error says what to write instead."""

from __future__ import annotations

from .callables import is_coroutine_function, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Init = TypeVar("Init", bound=Callable[..., None])


def explain_misuse(init: Init) -> Init:
    """Let the `__init__` of a cell raise an error that says what to write instead of a misplaced argument.

    A misplaced argument is a value, as in `GILOnceCell(3)`, or an option of another cell, as in `OnceLock(discard=f)`.
    """

    def __init__(self: Any, *values: Any, **options: Any) -> None:  # noqa: N807 - it becomes the method
        if values or not taken.issuperset(options):
            _check_arguments(type(self).__name__, taken, values, options)
        init(self, **options)

    taken = frozenset(init.__kwdefaults__ or ())
    # `help()` and `inspect.signature` show the signature of the function behind `__wrapped__`.
    __init__.__wrapped__ = init  # type: ignore[attr-defined]
    __init__.__module__ = init.__module__
    __init__.__qualname__ = init.__qualname__
    return __init__  # type: ignore[return-value]


def _check_arguments(cell: str, taken: frozenset[str], values: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Raise TypeError if the arguments of `cell`, which takes the options `taken`, belong somewhere else."""
    if values:
        value = values[0]
        give = f"cell.get_or_init({_shown(value, 'initializer')})" if callable(value) else f"cell.set({_shown(value)})"
        timeout = f", or {cell}(timeout={value!r})" if "timeout" in taken and type(value) in (int, float) else ""
        raise TypeError(
            f"{cell}() takes no positional argument, because a cell starts empty: "
            f"write cell = {cell}() and then {give}{timeout}"
        )
    if "discard" in options and "discard" not in taken:
        raise TypeError(
            f"{cell}() takes no discard, because its initializer runs once and no value loses a race: "
            "leave it out, or use GILOnceCell(discard=...)"
        )
    if "timeout" in options and "timeout" not in taken:
        raise TypeError(
            f"{cell}() takes no timeout, because it never waits: "
            f"leave it out, or use OnceLock(timeout={_shown(options['timeout'], '...')})"
        )
    unknown = next(option for option in options if option not in taken)
    raise TypeError(f"{cell}() got an unexpected keyword argument {unknown!r}: it takes {' and '.join(sorted(taken))}")


def _shown(value: object, otherwise: str = "value") -> str:
    """Return the `repr` of a simple value. For any other, whose `repr` may run user code, return `otherwise`."""
    shown = repr(value) if type(value) in (bool, bytes, float, int, str) else otherwise
    return shown if len(shown) <= 40 else otherwise


def check_discard(discard: object, taker: str) -> None:
    if not callable(discard):
        raise TypeError(
            f"{taker}(discard=...) takes a callable, which is called with a value that lost the race, "
            f"not {discard!r} ({type(discard).__name__})"
        )


def check_initializer(initializer: object) -> None:
    if not callable(initializer):
        raise TypeError(
            f"the initializer must be callable, not {initializer!r} ({type(initializer).__name__}): "
            "to publish an object that exists already, use set()"
        )


def check_synchronous(initializer: object) -> None:
    """Raise TypeError if `initializer` is a coroutine function. On a class, which is not one, nothing is looked up."""
    if not issubclass(type(initializer), type) and is_coroutine_function(initializer):
        raise TypeError(
            f"{name_of(initializer)}() is a coroutine function, and get_or_init() would keep its coroutine, "
            "which can be awaited only once. Write 'await cell.aget_or_init(...)' instead"
        )
