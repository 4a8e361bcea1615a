"""Lazy attributes for classes with `__slots__`, where `functools.cached_property` does not work.

`cached_property` keeps its value in the instance's `__dict__`, which an instance of a slotted class does not have.
`once_property(slot=...)` keeps it in a slot. That works in a frozen dataclass too, because the value is computed, not
assigned. Above a `classmethod`, `once_property` makes a lazy attribute of the class.

Look for "computing": it comes once per instance, and once per class, where a subclass has its own value. The lazy value
is not a field of the dataclass, so `repr`, comparison and `asdict` ignore it.
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
    # In a base class: as a field of the dataclass, an empty slot would make `asdict` and copying fail.
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
