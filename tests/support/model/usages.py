"""The usages that the model knows: a few lines of a user's code for each surface.

The code of a usage can use gilonce's public names, `discard`, and

* `make(owner)`, which every initializer calls, and which does what the machine has planned;
* `look(value)`, which logs a value that an initializer has read;
* `drive(coroutine)` and `partial`.

To test another argument of a decorator, add an entry with that argument in its source. Instances that change their
class or `__dict__` have a machine of their own: see `ChangingRun` in `runs.py`. The corners in which the
implementations are known to differ are left out: `f.__get__(None)`; a `slot=` that names a member of a class in C.
"""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Literal

PUBLIC_NAMES = (
    "AlreadySetError",
    "GILOnceCell",
    "OnceLock",
    "ProcessOnceCell",
    "ThreadOnceCell",
    "lazy_global",
    "once",
    "once_property",
)


@dataclasses.dataclass
class Usage:
    """What the model must know of a way to use gilonce. In the expressions, `it` is the subject.

    Parameters:
        source: what is run first, as the body of a module.
        subjects: the subjects with which a sequence begins.
        touch: what a user does to get the value.
        cell: what gives the cell, if there is a way.
        per: what has one value.
        copies: whether a copy of a subject has a value of its own, is a view of the same one
            ("shared"), is the subject itself, or is that of the value.
        owner: what the initializer is given: the subject, its class or nothing.
        named: what the cell calls itself in messages.
        kept: under which name a subject shows its value.
        shows: what a subject shows.
        base: under which name it shows the value that it has from its base class.
        assigned: whether it takes assignments and deletions, and whether those are gilonce's
            work ("descriptor") or the interpreter's.
        is_async: whether `touch` awaits, so that what `discard` returns is awaited too.
        keeper: the class of the cell. An `OnceLock` has its own answer to who reaches it within its initializer.
        shown: what that calls itself.
        is_final: whether its value is for everyone; if not, copies of what has one begin anew, or empty.
        discards: whether `discard` is given what lost.
    """

    source: str
    subjects: tuple[str, ...]
    touch: str
    cell: str = ""
    per: Literal["subject", "class", "process"] = "subject"
    copies: Literal["own", "shared", "itself", "value"] = "own"
    owner: Literal["subject", "class", "nothing"] = "subject"
    named: str = "this cell"
    kept: str = ""
    shows: str = "vars(it)"
    base: str = ""
    assigned: Literal["", "interpreter", "descriptor"] = ""
    is_async: bool = False
    keeper: str = "GILOnceCell"
    shown: str = "GILOnceCell"
    is_final: bool = True
    discards: bool = True

    def __post_init__(self) -> None:
        self.source = textwrap.dedent(self.source)

    @property
    def can_be_overridden(self) -> bool:
        """Whether the cell takes an override. A proxy is overridden through `cell_of`, which is not in the model."""
        return bool(self.cell) and self.copies != "value" and self.keeper != "OwnCell"

    @property
    def is_isolated(self) -> bool:
        """Whether `isolated()` covers the value: it does not belong to an instance or to a single cell."""
        return self.owner != "subject" and self.copies != "value"


CELL = Usage(
    "",
    subjects=("GILOnceCell(discard=discard)",),
    touch="it.get_or_init(partial(make, it))",
    cell="it",
    shows="{}",
)

A_METHOD = {"touch": "it.thing()", "cell": "it.thing.cell", "named": "the cell of the value of Owner.thing()"}
IN_SLOT = {"kept": "_thing", "shows": "{'_thing': it._thing} if hasattr(it, '_thing') else {}"}
PER_CLASS = {"per": "class", "copies": "shared", "owner": "class"}
PER_PROCESS = {"per": "process", "copies": "shared", "owner": "nothing"}
A_PROXY = {"subjects": ("IT",), "touch": "it.__wrapped__", "cell": "it._self_cell", "copies": "value"}

USAGES: dict[str, Usage] = {
    "cell": CELL,
    "async cell": dataclasses.replace(
        CELL,
        source="""
        async def amake(it):
            return make(it)
        """,
        touch="drive(it.aget_or_init(partial(amake, it)))",
        is_async=True,
    ),
    "once function": Usage(
        """
        @once(discard=discard)
        def thing():
            return make(None)
        """,
        subjects=("thing",),
        touch="it()",
        cell="it.cell",
        copies="itself",
        owner="nothing",
        named="the cell of thing()",
    ),
    "once async function": Usage(
        """
        @once(discard=discard)
        async def thing():
            return make(None)
        """,
        subjects=("thing",),
        touch="drive(it())",
        cell="it.cell",
        copies="itself",
        owner="nothing",
        named="the cell of thing()",
        is_async=True,
    ),
    "once factory": Usage(
        """
        thing = once(partial(make, None), discard=discard)
        """,
        subjects=("thing",),
        touch="it()",
        cell="it.cell",
        copies="",
        owner="nothing",
        named="the cell of <partial of Run.make>()",
        shows="{}",
    ),
    "once method": Usage(
        """
        class Owner:
            @once(discard=discard)
            def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        kept=".Owner.thing()",
        **A_METHOD,
    ),
    "once async method": Usage(
        """
        class Owner:
            @once(discard=discard)
            async def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        kept=".Owner.thing()",
        is_async=True,
        **{**A_METHOD, "touch": "drive(it.thing())"},
    ),
    "once method through super()": Usage(
        """
        class Base:
            @once(discard=discard)
            def thing(self):
                return make(self)

        class Owner(Base):
            @once(discard=discard)
            def thing(self):
                look(super().thing())
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        kept=".Owner.thing()",
        base=".Base.thing()",
        **A_METHOD,
    ),
    "once above classmethod": Usage(
        """
        class Owner:
            @once(discard=discard)
            @classmethod
            def thing(cls):
                return make(cls)

        class Sub(Owner):
            pass
        """,
        subjects=("Owner()", "Sub()", "Owner()"),
        **{**A_METHOD, **PER_CLASS, "cell": "type(it).thing.cell"},
    ),
    "once below classmethod": Usage(
        """
        class Owner:
            @classmethod
            @once(discard=discard)
            def thing(cls):
                return make(cls)

        class Sub(Owner):
            pass
        """,
        subjects=("Owner()", "Sub()", "Owner()"),
        # From Python 3.13 on, there is no way from here to the cell.
        **{**A_METHOD, **PER_CLASS, "cell": ""},
    ),
    "once above staticmethod": Usage(
        """
        class Owner:
            @once(discard=discard)
            @staticmethod
            def thing():
                return make(None)
        """,
        subjects=("Owner()", "Owner()"),
        touch="it.thing()",
        cell="type(it).thing.cell",
        named="the cell of Owner.thing()",
        **PER_PROCESS,
    ),
    "once method in a slot": Usage(
        """
        class Owner:
            __slots__ = ("_thing",)

            @once(slot="_thing", discard=discard)
            def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        **{**A_METHOD, **IN_SLOT},
    ),
    "once async method in a slot": Usage(
        """
        class Owner:
            __slots__ = ("_thing",)

            @once(slot="_thing", discard=discard)
            async def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        is_async=True,
        **{**A_METHOD, "touch": "drive(it.thing())", **IN_SLOT},
    ),
    "property": Usage(
        """
        class Owner:
            @once_property(discard=discard)
            def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="it.thing",
        kept="thing",
        assigned="interpreter",
    ),
    "property through super()": Usage(
        """
        class Base:
            @once_property(discard=discard)
            def thing(self):
                return make(self)

        class Owner(Base):
            @once_property(discard=discard)
            def thing(self):
                look(super().thing)
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="it.thing",
        kept="thing",
        base=".Base.thing()",
        assigned="interpreter",
    ),
    "property in a slot": Usage(
        """
        class Owner:
            __slots__ = ("_thing",)

            @once_property(slot="_thing", discard=discard)
            def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="it.thing",
        assigned="descriptor",
        **IN_SLOT,
    ),
    "async property": Usage(
        """
        class Owner:
            @once_property(discard=discard)
            async def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="drive(it.thing)",
        kept=".Owner.thing()",
        assigned="descriptor",
        is_async=True,
    ),
    "async property in a slot": Usage(
        """
        class Owner:
            __slots__ = ("_thing",)

            @once_property(slot="_thing", discard=discard)
            async def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="drive(it.thing)",
        assigned="descriptor",
        is_async=True,
        **IN_SLOT,
    ),
    "property of a class": Usage(
        """
        class Owner:
            @once_property(discard=discard)
            @classmethod
            def thing(cls):
                return make(cls)

        class Sub(Owner):
            pass
        """,
        subjects=("Owner()", "Sub()", "Owner()"),
        touch="it.thing",
        **PER_CLASS,
    ),
    "static property": Usage(
        """
        class Owner:
            @once_property(discard=discard)
            @staticmethod
            def thing():
                return make(None)
        """,
        subjects=("Owner()", "Owner()"),
        touch="type(it).thing",
        named="the cell of Owner.thing()",
        **PER_PROCESS,
    ),
    "proxy": Usage(
        """
        def thing():
            return make(None)

        IT = lazy_global(thing, reify=False, discard=discard)
        """,
        owner="nothing",
        shows="{}",
        **A_PROXY,
    ),
    "reified global": Usage(
        """
        def thing():
            return make(None)

        IT = lazy_global(thing, discard=discard)
        """,
        owner="nothing",
        kept="IT",
        shows="{'IT': IT}",
        **A_PROXY,
    ),
}


# The other cells. What loses a race of theirs in one thread (there is none with `OnceLock`) is the cell's own affair.

USAGES["lock"] = dataclasses.replace(
    CELL, subjects=("OnceLock()",), keeper="OnceLock", shown="OnceLock", discards=False
)
USAGES["thread cell"] = dataclasses.replace(
    CELL,
    subjects=("ThreadOnceCell(discard=discard)",),
    keeper="ThreadOnceCell",
    shown="ThreadOnceCell",
    is_final=False,
)
USAGES["process cell"] = dataclasses.replace(
    CELL,
    subjects=("ProcessOnceCell(discard=discard)",),
    keeper="ProcessOnceCell",
    shown="ProcessOnceCell",
    is_final=False,
)

#: A cell of a user's own: the least that will do, and it knows no `discard`.
OWN = """
class OwnCell:
    final = True

    def __init__(self):
        self.values = []

    def __repr__(self):
        return f"<OwnCell: {self.values[0]!r}>" if self.values else "<OwnCell: empty>"

    def get(self, default=None):
        return self.values[0] if self.values else default

    def is_set(self):
        return bool(self.values)

    def get_or_init(self, initializer):
        if not self.values:
            value = initializer()
            if not self.values:
                self.values.append(value)
        return self.values[0]

    async def aget_or_init(self, initializer):
        if not self.values:
            value = await initializer()
            if not self.values:
                self.values.append(value)
        return self.values[0]

    def set(self, value):
        if self.values:
            raise AlreadySetError("", value)
        self.values.append(value)

    def take(self, default=None):
        return self.values.pop() if self.values else default
"""


def chosen(usage: str, cell: str, **others: object) -> Usage:
    """Return that usage with `cell=` instead of `discard=`."""
    before = USAGES[usage]
    return dataclasses.replace(before, source=before.source.replace("discard=discard", f"cell={cell}"), **others)


for _name in (
    "once function",
    "once method",
    "once method in a slot",
    "once above classmethod",
    "property",
    "property in a slot",
    "property of a class",
    "reified global",
):
    USAGES[f"lock, {_name}"] = chosen(_name, "OnceLock", keeper="OnceLock", shown="OnceLock", discards=False)

USAGES["lock, reified global"] = dataclasses.replace(USAGES["lock, reified global"], named="the cell of thing()")

for _cell in ("ThreadOnceCell", "ProcessOnceCell"):
    _given = f"partial({_cell}, discard=discard)"
    _not_final = {"keeper": _cell, "shown": _cell, "is_final": False}
    USAGES[f"{_cell}, once function"] = chosen("once function", _given, **_not_final)
    USAGES[f"{_cell}, once method"] = chosen(
        "once method", _given, **_not_final, kept="", shows="{}", named="the cell of Owner.thing()"
    )
    USAGES[f"{_cell}, proxy"] = chosen("proxy", _given, **_not_final, named="the cell of thing()")

for _name in ("once method", "once method in a slot", "property", "property in a slot"):
    _usage = chosen(
        _name,
        "OwnCell",
        keeper="OwnCell",
        shown="OwnCell",
        discards=False,
        # The cell beside the value is no matter of the user's.
        shows=f"{{name: value for name, value in ({USAGES[_name].shows}).items() if not name.endswith(' cell')}}",
    )
    USAGES[f"own cell, {_name}"] = dataclasses.replace(
        _usage, source=OWN + _usage.source.replace('("_thing",)', '("_thing", "__dict__")')
    )
