"""Lazy attributes for classes with `__slots__`, which have no room for `functools.cached_property`.

`cached_property` keeps its value in the instance's `__dict__`, and a slotted class is one whose instances have none.
`once_property(slot=...)` keeps it in a slot. That works in a frozen dataclass, too: the attribute is computed, nobody
assigns to it. Above a `classmethod`, `once_property` is a lazy attribute of the class.

Look for "computing": it comes once per instance, and once per class, a subclass having its own. The lazy value is no
field of the dataclass: `repr`, comparison and `asdict` know nothing of it.
"""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import asdict, dataclass, replace

from gilonce import once_property


@dataclass(slots=True)
class Cached:
    x: float

    @functools.cached_property
    def doubled(self) -> float:
        return 2 * self.x


class LengthSlot:
    # Declared as a field of the dataclass, an empty slot would make `asdict` and copying fail.
    __slots__ = ("_length",)


@dataclass(frozen=True, slots=True)
class Vector(LengthSlot):
    x: float
    y: float

    @once_property(slot="_length")
    def length(self) -> float:
        print(f"... computing the length of {self}")
        return math.hypot(self.x, self.y)

    @once_property
    @classmethod
    def table(cls) -> str:
        print(f"... computing the table of the class {cls.__name__}")
        return f"{cls.__name__.lower()}s"


@dataclass(frozen=True, slots=True)
class Arrow(Vector):
    colour: str = "black"


def main() -> None:
    try:
        print(Cached(1).doubled)
    except TypeError as error:
        print("functools.cached_property:", error)

    vector = Vector(3, 4)
    print("length:", vector.length)
    print("again: ", vector.length)
    print("of a changed copy:", replace(vector, x=0).length)
    print("the fields:", asdict(vector), "- equal to a copy:", vector == copy.copy(vector))

    print("from the class:   ", Vector.table)
    print("from an instance: ", vector.table)
    print("from the subclass:", Arrow.table)


if __name__ == "__main__":
    main()
