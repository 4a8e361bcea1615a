"""The values of a class: a dict that is stored in the class itself, and remembers what `gilonce.testing` needs.

A class's values cannot be in its `__dict__`, which takes no `setdefault`. So the class gets one attribute, a dict, and
that has the values of all decorated functions. A subclass inherits the attribute and has values of its own, so a dict
knows its owner, and `own_values` ignores an inherited one.
"""

from __future__ import annotations

from weakref import ref

from .._cells.racing import next_number
from .._cells.registry import add

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .bound import Definition

#: The end of a key under which a class or an instance stores a cell instead of a value.
CELL_SUFFIX = " cell"


class ClassValues(dict[str, object]):
    """The values of one class, stored in that class.

    A decorator that creates the class again, such as `dataclass(slots=True)`, copies this dict with the rest of the
    namespace. The weak reference to the first class shows that the values do not belong to the second.
    """

    __slots__ = ("is_registered", "made", "owner")

    def __init__(self, owner: type) -> None:
        self.owner = ref(owner)
        self.is_registered = False
        #: For each key: the value's number (see `next_number`), its `id`, and its definition.
        self.made: dict[str, tuple[int, int, Definition]] = {}

    def register(self) -> None:
        """Register the class, unless that was done before."""
        if not self.is_registered:
            add(self.owner)
            self.is_registered = True

    def cover(self, definition: Definition) -> None:
        """Let `cells()` return the cell of `definition`, which is about to get a value."""
        # The thread that made this dict may not have registered it yet.
        self.register()
        key = definition.key
        if key not in self.made:
            self.made.setdefault(key, (0, 0, definition))
        elif key not in self and self.made[key][1]:
            # The value that was noted is gone. The next one may have its `id`.
            self.made[key] = 0, 0, definition

    def note(self, definition: Definition, value: object) -> None:
        """Note that `value` was made, unless that was noted before."""
        # The `id` and not the value itself, which this would keep alive after a `take()`.
        if self.made.get(definition.key, (0, 0))[1] != id(value):
            self.made[definition.key] = next_number(), id(value), definition

    def cells(self) -> list[Any]:
        """Return the cells that have been used: the cells stored here, and the cells of the values stored here."""
        owner = self.owner()
        stored = [cell for key, cell in self.copy().items() if key.endswith(CELL_SUFFIX)]
        return stored + [definition.cell_of(owner) for _, _, definition in self.made.copy().values()]

    def __reduce__(self) -> tuple[Any, ...]:
        # A class that is pickled by value is pickled without its values.
        return dict, ()


#: The attribute that holds the `ClassValues` of a class. pydoc skips names that begin with an underscore. Up to
#: Python 3.11, runtime protocols skip those that begin with `_abc_`.
CLASS_VALUES = "_abc_gilonce"

#: By the `id` of a class that has no values yet: the class, and the candidate for its values.
_candidates: dict[int, tuple[type, ClassValues]] = {}


def class_values(cls: type, what: str) -> ClassValues:
    """Return the dict of the values of `cls` itself. Make it if there is none.

    Each thread that finds no dict makes a candidate. `setdefault` in `_candidates` elects one, which all threads write
    into the class before one of them removes it from `_candidates`. The dict is never removed from the class, so it
    does not matter which thread writes it, or how often.

    Parameters:
        cls: the class.
        what: what is to be stored in the dict, for the error if `cls` takes no attributes.
    """
    values = own_values(cls)
    if values is not None:
        # Ctrl-C may have left the candidate behind.
        if _candidates:
            _candidates.pop(id(cls), None)
        return values
    key = id(cls)
    candidate = cls, ClassValues(cls)
    try:
        candidate = _candidates.setdefault(key, candidate)
    finally:
        values = own_values(cls)
        if values is None:
            values = candidate[1]
            _set_class_attribute(cls, values, what)
            values.register()
        if _candidates.get(key) is candidate:
            _candidates.pop(key, None)
    return values


def prepare(cls: type) -> None:
    """Make the dict of the values of a class that is being created. So reading a value never changes the class."""
    try:  # noqa: SIM105 - contextlib would have to be imported
        class_values(cls, "")
    except TypeError:
        # The class takes no attributes. Reading the value will raise the error.
        pass


def own_values(cls: type) -> ClassValues | None:
    """Return the dict of the values of `cls` itself, or None if there is none yet."""
    values = cls.__dict__.get(CLASS_VALUES)
    return values if type(values) is ClassValues and values.owner() is cls else None


def _set_class_attribute(cls: type, values: ClassValues, what: str) -> None:
    try:
        try:
            # Not `setattr`: a metaclass may forbid the program's assignments, and this is not one of them.
            type.__setattr__(cls, CLASS_VALUES, values)
        except TypeError:
            # A metaclass written in C may accept nothing but its own `__setattr__`.
            setattr(cls, CLASS_VALUES, values)
    except Exception as error:
        _candidates.pop(id(cls), None)
        raise TypeError(f"{cls.__name__!r} takes no attributes, so it cannot keep {what}") from error
