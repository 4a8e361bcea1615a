"""The native core and the Python implementation side by side: names, signatures, errors."""

from __future__ import annotations

import copy
import importlib
import inspect
import re
import sys
from typing import Any

import pytest
from support import IMPLEMENTATIONS, activate

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")


def public_attributes(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["AlreadySetError", "GILOnceCell", "once", "once_property", "lazy_global"])
def test_names_signatures_and_documentation_are_the_same(name: str) -> None:
    """Whichever implementation serves, `help()` says the same."""

    def described(implementation: str) -> dict[str, Any]:
        with activate(implementation) as package:
            it = whole = getattr(package, name)
            # Some attributes are there, in Python, only in an instance; and `self` is not what this is about.
            if name == "once_property":
                it = it(len)
            elif name == "GILOnceCell":
                it = it()
            members = {"": it, **{member: getattr(it, member) for member in public_attributes(it)}}
            return {
                "the whole": (whole.__module__, inspect.getdoc(whole)),
                **{
                    member: (shape(value), inspect.getdoc(value) if callable(value) else None)
                    for member, value in members.items()
                },
            }

    def shape(value: Any) -> Any:
        try:
            signature = inspect.signature(value)
        except (TypeError, ValueError):
            return type(value).__name__ if not callable(value) else None
        return [(each.name, each.kind, each.default) for each in signature.parameters.values()]

    assert described("python") == described("native")


#: Wrong uses, each of which must raise the same error with the same text.
MISTAKES = """
cell().get(1, 2)
cell().get(default=1, other=2)
cell().get(other=2)
cell().is_set(1)
cell().take(1, 2)
cell().take(x=2)
cell().set()
cell().set(1, 2)
cell().set(value=1)
full().set(2)
cell().get_or_init()
cell().get_or_init(3)
full().get_or_init(3)
cell().get_or_init(initializer=int)
cell().get_or_init(int, int)
gilonce.GILOnceCell(discard=3)
gilonce.GILOnceCell(1)
gilonce.GILOnceCell(x=1)
gilonce.GILOnceCell(1, 2, discard=int)
gilonce.GILOnceCell(discard=int, x=1)
gilonce.GILOnceCell(**{(): print})
gilonce.once(3)
gilonce.once(lambda a, b: 1)
gilonce.once(lambda: (yield))
gilonce.once(function)(1)
gilonce.once(function)(1, 2)
gilonce.once(function)(x=2)
gilonce.once(method)()
gilonce.once(method)(1, 2)
gilonce.once(method)(1)
gilonce.once(method)(int)
gilonce.once(method).cell
gilonce.once(function).nothing
gilonce.once(method, slot=3)
gilonce.once(function, slot="_x")
gilonce.once(method, slot="_x")()
gilonce.once(method, slot="_x")(1)
gilonce.once(method, slot="_x")(int)
gilonce.once(method, slot="_x").__get__(1)()
gilonce.once(method, slot="_x").__get__(int)()
gilonce.once(method, slot="_x").cell
gilonce.once(method, slot="_x", cell=gilonce.ThreadOnceCell)
gilonce.once_property(3)
gilonce.once_property(method, slot=3)
gilonce.once_property(method).__get__(1)
gilonce.once_property(method, slot="_x").__get__(1)
gilonce.lazy_global(3)
gilonce.lazy_global(function, interface=3)
gilonce.lazy_global(int).nothing
""".strip().splitlines()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_errors_are_the_same(mistake: str) -> None:
    """Types and texts of errors do not tell which implementation serves."""

    def outcome(implementation: str) -> tuple[str, str]:
        with activate(implementation) as gilonce:

            def function() -> int:
                return 1

            def method(self: object) -> int:
                return 1

            def cell() -> Any:
                return gilonce.GILOnceCell()

            def full() -> Any:
                it = cell()
                it.set(1)
                return it

            names = {"gilonce": gilonce, "function": function, "method": method, "cell": cell, "full": full}
            with pytest.raises(Exception) as caught:  # noqa: PT011
                eval(mistake, names)
            # Addresses, and keys of local definitions, differ from one run to the next.
            return type(caught.value).__name__, re.sub(r" at 0x\w+|\) [0-9a-f]{16}", "", str(caught.value))

    assert outcome("python") == outcome("native")


#: What can be done with an object, so that no error tells which implementation serves. In each, `it` is the object.
MISUSES = (
    """
it(); it(1); it(1, 2); it(x=1); it(None); it[0]; it["a"] = 1; len(it); iter(it); next(it); int(it); float(it); bytes(it)
it + 1; 1 + it; it < it; it < 1; -it; it @ 1; reversed(it); it.nothing; it.nothing = 1; del it.nothing; it.args
del it.__doc__; del it.__module__; it.__name__; it.__qualname__ = 1; it.__class__ = int; it.__dict__ = 3
it.cell = 1; del it.cell; it.func = 1; it.attrname = 1; it.final = 1; del it.final; it.__wrapped__ = 1
it.get(1, 2); it.get(x=1); it.take(1, 2); it.take(x=1); it.is_set(1); it.is_set(x=1); it.set(); it.set(1, 2)
it.set(x=1); it.set(value=1); it.get_or_init(); it.get_or_init(1); it.get_or_init(int, int)
it.get_or_init(initializer=int); it.get_or_init(later); it.aget_or_init(); it.aget_or_init(1)
it.import_attr(); it.import_attr("os", "nothing")
it.__set_name__(int, "a"); it.__set_name__(int, 3); it.__set__(1, 2); it.__delete__(1); it.__setstate__(1)
isinstance(1, it); issubclass(int, it); type("X", (it,), {}); it.__enter__; it.__await__; it.x; it.m(1); it.m(1, 2)
it.c(1); setattr(it, "sx", 1); delattr(it, "sx"); delattr(it, "ax"); it.am(1); Owner.m(); Owner.m(1); Owner.m(owner, 1)
Owner.sm(); Owner.sm(1); Owner.sm(Owner); Owner.c(1); copy.copy(it); str(it); format(it, "x")
""".replace("\n", "; ")
    .strip("; ")
    .split("; ")
)


def objects_of(gilonce: Any) -> dict[str, Any]:
    """Return objects of every class that users meet, made anew, and what `MISUSES` names."""

    def function() -> int:
        return 1

    def method(self: object) -> int:
        return 1

    async def later(self: object = None) -> int:
        return 1

    class Owner:
        __slots__ = ("__dict__", "_sm", "_x", "_y")
        m = gilonce.once(method)
        sm = gilonce.once(method, slot="_sm")
        c = gilonce.once(classmethod(method))
        am = gilonce.once(later)
        x = gilonce.once_property(method)
        sx = gilonce.once_property(method, slot="_x")
        ax = gilonce.once_property(later, slot="_y")
        cx = gilonce.once_property(classmethod(method))
        tx = gilonce.once_property(staticmethod(function))

    # What a local definition is called in messages.
    for it in function, method, later, Owner:
        it.__qualname__ = it.__name__
    owner, full = Owner(), gilonce.GILOnceCell()
    full.set(1)
    return {
        "cell": gilonce.GILOnceCell(),
        "full cell": full,
        "lock": gilonce.OnceLock(),
        "cell per thread": gilonce.ThreadOnceCell(),
        "cell per process": gilonce.ProcessOnceCell(),
        "function": gilonce.once(function),
        "class": gilonce.once(Owner),
        "cell of a function": gilonce.once(function).cell,
        "method": vars(Owner)["m"],
        "bound method": owner.m,
        "method in a slot": vars(Owner)["sm"],
        "bound method in a slot": owner.sm,
        "cell of a method in a slot": owner.sm.cell,
        "class method": Owner.c,
        "coroutine method": owner.am,
        "cell of a method": owner.m.cell,
        "cell of a class method": Owner.c.cell,
        "cell of a slot": vars(Owner)["sx"]._cell_of(owner),
        **{f"property {name}": vars(Owner)[name] for name in ("x", "sx", "ax", "cx", "tx")},
        "error": gilonce.AlreadySetError("message", 1),
        "owner": owner,
        "Owner": Owner,
        "later": later,
        "copy": copy,
    }


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of a coroutine that is never awaited
def test_no_misuse_tells_which_implementation_serves() -> None:
    """Whatever is done to an object, the error has the same type and text, in which no private name of ours stands."""

    def outcomes(implementation: str) -> dict[str, str]:
        outcomes = {}
        with activate(implementation) as gilonce:
            for name in objects_of(gilonce):
                for misuse in MISUSES if name not in ("Owner", "later", "copy") else ():
                    names = objects_of(gilonce)
                    names["it"] = names[name]
                    try:
                        exec(misuse, names)
                    except Exception as error:
                        # Addresses, and keys of local definitions, differ from one run to the next.
                        text = re.sub(r" at 0x\w+|\) [0-9a-f]{16}", "", str(error))
                        outcomes[f"{name}: {misuse}"] = f"{type(error).__name__}: {text}"
                    else:
                        outcomes[f"{name}: {misuse}"] = "done"
        return outcomes

    python, native = outcomes("python"), outcomes("native")
    assert native == python
    assert not {misuse: text for misuse, text in native.items() if re.search(r"gilonce\._|'_[A-Z]|NamedCell", text)}


def test_where_the_core_was_not_built_python_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler the install succeeds all the same."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gilonce._native.core", None)
    monkeypatch.delenv("GILONCE_PURE_PYTHON", raising=False)
    package = importlib.import_module("gilonce")
    assert package.__implementation__ == "python"
    assert package.once(list)() == []
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
