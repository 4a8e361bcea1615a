"""The keys of a function's calls, and errors about arguments that cannot be in a key."""

from __future__ import annotations

from .._cells.callables import name_of
from .binding import Binding, is_hashable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any


class Keys:
    """Makes the keys of a function's calls, and explains why a key cannot be hashed."""

    __slots__ = ("_key_function", "binding", "lost_owner", "make", "owned")

    def __init__(self, function: Any, owned: bool, typed: bool, key: Callable[..., Hashable] | None) -> None:
        self.owned = owned
        #: The kind of owner, and what to write instead, if calls come through bound methods that are not ours.
        self.lost_owner = "", ""
        self._key_function = key
        self.binding = Binding(function, owned, typed)
        self.make: Callable[..., Any]
        if key is None:
            self.make = self.binding.generate_key()
        else:
            self.make = _TypedKey(key) if typed else key

    def key_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
        """Return the key of a call. If there is an owner, it is the first of `args`."""
        if self.owned and self._key_function is not None:
            args = args[1:]
        key: Hashable = self.make(*args, **kwargs)
        return key

    def cell_of(self, table: Any, key: Hashable) -> Any:
        """Return the cell of a key in a table. Raise TypeError with an explanation if the key cannot be hashed."""
        try:
            return table.cell_of(key)
        except TypeError as error:
            explanation = self._explain(key)
            if explanation is None:
                raise
            raise TypeError(explanation) from error

    def _explain(self, key: Any) -> str | None:
        """Return a message about the argument that cannot be hashed, or None if all can be hashed."""
        name = name_of(self.binding.function)
        if self._key_function is not None:
            if is_hashable(key):
                return None
            return f"{name}() needs a key that can be hashed, and its key= made {_a(key)}"
        for parameter, argument in self.binding.names_of(key):
            if not is_hashable(argument):
                return (
                    f"{name}() keeps one value per arguments, so they must be hashable, and {parameter!r} "
                    f"is {_a(argument)}. Say what to use in its place, "
                    f"as in @once_per_args(key=lambda {self._shown_parameters()}: ...)"
                )
        return None

    def _shown_parameters(self) -> str:
        return ", ".join([parameter.shown for parameter in self.binding.keyed])


class _TypedKey:
    __slots__ = ("_key",)

    def __init__(self, key: Callable[..., Hashable]) -> None:
        self._key = key

    def __call__(self, /, *args: Any, **kwargs: Any) -> Hashable:
        key = self._key(*args, **kwargs)
        return key, type(key)


def _a(it: object) -> str:
    return f"a {type(it).__name__!r} object"
