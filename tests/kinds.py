"""The kinds of subjects that the model knows: a line or a few of a user's code for each surface.

The sources see gilonce's public names, `discard`, and

* `make(owner)`, which every initializer calls: what it does is planned by the machine;
* `look(value)`, which notes a value that an initializer has come by;
* `drive(coroutine)` and `partial`.

A way of writing that belongs to a kind already there, such as an argument of a decorator, is
one more entry with that argument in its source. The corners in which the implementations are
known to differ are left out: an initializer that replaces its instance's `__dict__`, or gives the
instance another class; `f.__get__(None)`; a `slot=` that names a member of a class in C.
"""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Literal

PUBLIC_NAMES = ("AlreadySetError", "GILOnceCell", "lazy_global", "once", "once_property")


@dataclasses.dataclass
class Kind:
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

    def __post_init__(self) -> None:
        self.source = textwrap.dedent(self.source)


CELL = Kind(
    "",
    subjects=("GILOnceCell(discard=discard)",),
    touch="it.get_or_init(partial(make, it))",
    cell="it",
    shows="{}",
)

A_METHOD = {"touch": "it.thing()", "cell": "it.thing.cell", "named": "the cell of the value of Owner.thing()"}
PER_CLASS = {"per": "class", "copies": "shared", "owner": "class"}
PER_PROCESS = {"per": "process", "copies": "shared", "owner": "nothing"}
A_PROXY = {"subjects": ("IT",), "touch": "it.__wrapped__", "cell": "it._self_cell", "copies": "value"}

KINDS: dict[str, Kind] = {
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
    "once function": Kind(
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
    ),
    "once async function": Kind(
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
        is_async=True,
    ),
    "once factory": Kind(
        """
        thing = once(partial(make, None), discard=discard)
        """,
        subjects=("thing",),
        touch="it()",
        cell="it.cell",
        copies="",
        owner="nothing",
        shows="{}",
    ),
    "once method": Kind(
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
    "once async method": Kind(
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
    "once method through super()": Kind(
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
    "once above classmethod": Kind(
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
    "once below classmethod": Kind(
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
    "once above staticmethod": Kind(
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
        **PER_PROCESS,
    ),
    "property": Kind(
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
    "property through super()": Kind(
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
    "property in a slot": Kind(
        """
        class Owner:
            __slots__ = ("_thing",)

            @once_property(slot="_thing", discard=discard)
            def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="it.thing",
        kept="_thing",
        shows="{'_thing': it._thing} if hasattr(it, '_thing') else {}",
        assigned="descriptor",
    ),
    "async property": Kind(
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
    "async property in a slot": Kind(
        """
        class Owner:
            __slots__ = ("_thing",)

            @once_property(slot="_thing", discard=discard)
            async def thing(self):
                return make(self)
        """,
        subjects=("Owner()", "Owner()"),
        touch="drive(it.thing)",
        kept="_thing",
        shows="{'_thing': it._thing} if hasattr(it, '_thing') else {}",
        assigned="descriptor",
        is_async=True,
    ),
    "property of a class": Kind(
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
    "static property": Kind(
        """
        class Owner:
            @once_property(discard=discard)
            @staticmethod
            def thing():
                return make(None)
        """,
        subjects=("Owner()", "Owner()"),
        touch="type(it).thing",
        **PER_PROCESS,
    ),
    "proxy": Kind(
        """
        def thing():
            return make(None)

        IT = lazy_global(thing, reify=False, discard=discard)
        """,
        owner="nothing",
        shows="{}",
        **A_PROXY,
    ),
    "reified global": Kind(
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
