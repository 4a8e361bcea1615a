"""The native core: what only it promises, and that it cannot be told from Python otherwise."""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import itertools
import re
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import wrapt
from support import IMPLEMENTATIONS, WATCHDOG, activate, environment, run_python, run_threads

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
THREADS = 8


@pytest.fixture
def native() -> Any:
    with activate("native") as package:
        yield package


@pytest.fixture
def python() -> Any:
    with activate("python") as package:
        yield package


# Law 5.

RACES = 20_000


def count_of_runs(make: Callable[[Callable[[], int]], Callable[[], int]]) -> set[int]:
    """Race threads through many cells; return how often the initializers ran, one cell with another.

    The initializer is in C and keeps the GIL: it counts.
    """
    counters = [itertools.count() for _ in range(RACES)]
    touches = [make(counter.__next__) for counter in counters]
    # Together again every few cells, for otherwise one thread runs ahead of all the others.
    together = threading.Barrier(THREADS)

    def touch_all() -> None:
        for start in range(0, RACES, 50):
            together.wait()
            for touch in touches[start : start + 50]:
                touch()

    assert GIL
    assert run_threads(*[touch_all] * THREADS) == [None] * THREADS
    return {next(counter) for counter in counters}


def a_cell(gilonce: ModuleType, initializer: Callable[[], int]) -> Callable[[], int]:
    cell = gilonce.GILOnceCell()
    return lambda: cell.get_or_init(initializer)


def a_once_function(gilonce: ModuleType, initializer: Callable[[], int]) -> Callable[[], int]:
    return gilonce.once(initializer)


def a_lazy_global(gilonce: ModuleType, initializer: Callable[[], int]) -> Callable[[], int]:
    proxy = gilonce.lazy_global(initializer)
    return lambda: proxy.__wrapped__


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.parametrize("surface", [a_cell, a_once_function, a_lazy_global])
def test_an_initializer_that_keeps_the_gil_runs_exactly_once(native: ModuleType, surface: Any) -> None:
    """Law 5: between the check and the write the core executes no bytecode."""
    assert count_of_runs(lambda initializer: surface(native, initializer)) == {1}


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.xfail(reason="in Python, a thread switch can fall between the check and the write", strict=True)
def test_in_python_an_initializer_that_keeps_the_gil_may_run_more_often(python: ModuleType) -> None:
    """What law 5 is for: only the native core keeps it."""
    assert count_of_runs(lambda initializer: a_cell(python, initializer)) == {1}


@pytest.mark.skipif(not GIL, reason="a law of builds with a GIL")
@pytest.mark.parametrize("kind", ["dict", "slot", "class", "static", "view"])
def test_law_five_holds_per_instance_and_class(native: ModuleType, kind: str) -> None:
    """An initializer in C that is given the instance or class runs once for each."""
    calls: list[object] = []  # `append` keeps the GIL, and returns None

    def make() -> Callable[[], object]:
        if kind == "slot":
            owner = type("Owner", (), {"__slots__": ("_x",), "x": native.once_property(calls.append, slot="_x")})()
        elif kind == "class":
            owner = type("Owner", (), {"x": native.once_property(classmethod(calls.append))})
        elif kind == "static":
            owner = type("Owner", (), {"x": native.once_property(staticmethod(functools.partial(calls.append, 1)))})
        elif kind == "dict":
            owner = type("Owner", (), {"x": native.once_property(calls.append)})()
        else:
            cell = type("Owner", (), {"m": native.once(lambda _self: None)})().m.cell
            return lambda: cell.get_or_init(functools.partial(calls.append, 1))
        return lambda: owner.x

    touches = [make() for _ in range(1000)]

    def touch_all() -> None:
        for touch in touches:
            assert touch() is None

    assert run_threads(*[touch_all] * THREADS) == [None] * THREADS
    assert len(calls) == len(touches)


# The two implementations side by side.


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


def test_where_the_core_was_not_built_python_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler the install succeeds all the same."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gilonce._native", None)
    monkeypatch.delenv("GILONCE_PURE_PYTHON", raising=False)
    package = importlib.import_module("gilonce")
    assert package.__implementation__ == "python"
    assert package.once(list)() == []
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        monkeypatch.delitem(sys.modules, name, raising=False)


# Size.


def test_a_cell_is_small(native: ModuleType) -> None:
    assert sys.getsizeof(native.GILOnceCell()) <= 64


def test_a_once_function_costs_little_beyond_the_function(native: ModuleType) -> None:
    """At most 250 bytes, with its cell and all."""
    import tracemalloc

    functions = [lambda: None for _ in range(1000)]
    kept = [None] * 1000
    native.once(functions[0])
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index, function in enumerate(functions):
        kept[index] = native.once(function)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / 1000 <= 250


def test_a_call_with_anything_unusual_leaves_no_memory_behind(native: ModuleType) -> None:
    """What Python is asked instead is given the arguments in an array made for that."""
    cell = native.GILOnceCell()
    cell.get(default=1)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        cell.get(default=1)
    assert sys.getallocatedblocks() - before < 500


@pytest.mark.skipif(not GIL or sys.version_info < (3, 11), reason="attributes are kept inline from 3.11 on, with a GIL")
def test_an_instance_pays_for_its_values_entry_only(native: ModuleType) -> None:
    """No dict comes into being where the interpreter keeps attributes inline."""
    import tracemalloc

    class Owner:
        @native.once
        def method(self) -> None:
            """Return the value."""

        @native.once_property
        def attribute(self) -> None:
            """Return the value."""

    def touch(owner: Any) -> None:
        owner.method()
        owner.attribute

    for _ in range(100):
        touch(Owner())
    owners = [Owner() for _ in range(1000)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for owner in owners:
        touch(owner)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken < 40 * len(owners)  # a dict alone takes 64


# Soundness.

USE = """
import copy, pickle, gc, sys
import gilonce

def boom():
    raise ValueError

async def later(): return []

def drive(awaitable):
    try: awaitable.__await__().send(None)
    except StopIteration as stop: return stop.value

class Owner:
    @gilonce.once
    def m(self): return [self]
    @gilonce.once(discard=print)
    @classmethod
    def c(cls): return []
    @gilonce.once
    def fails(self): return boom()
    @gilonce.once_property
    def x(self): return [self]
    @gilonce.once_property
    def xfails(self): return boom()

class Derived(Owner):
    @gilonce.once
    def m(self): return [super().m()]
    @gilonce.once_property
    def x(self): return [super().x]

class Slotted:
    __slots__ = ("_later", "_x", "__weakref__")
    @gilonce.once_property(slot="_x")
    def x(self): return []
    @gilonce.once_property(slot="_later")
    async def later(self): return []

class Namespace(dict): pass

class Refusing(dict):
    def setdefault(self, key, default): raise ValueError

class Elsewhere:
    __slots__ = ("namespace",)
    __dict__ = property(lambda self: self.namespace)
    def __init__(self, namespace): self.namespace = namespace
    @gilonce.once
    def m(self): return []

class Discard:
    def __call__(self, value): pass

class Hooked:
    def __getattr__(self, name): raise AttributeError(name)
    @gilonce.once
    def m(self): return []
    @gilonce.once_property
    def x(self): return []

class Redirected:
    def __getattribute__(self, name): return object.__getattribute__(self, name)
    @gilonce.once
    def m(self): return []
    @gilonce.once_property
    def x(self): return []

def attempt(f, *args):
    try:
        return f(*args)
    except Exception as error:
        return type(error)

def use():
    cell = gilonce.GILOnceCell()
    cell.get(); cell.get(1); cell.is_set()
    cell.get_or_init(list); cell.get_or_init(list); cell.get()
    attempt(cell.set, 1); attempt(cell.get_or_init, 3); attempt(cell.get_or_init)
    attempt(gilonce.GILOnceCell().get_or_init, boom)
    attempt(cell.set); attempt(lambda: cell.get(other=1))
    repr(cell); copy.copy(cell); copy.deepcopy(cell); pickle.loads(pickle.dumps(cell))
    cell.take(); cell.take(); cell.set(cell)
    full = gilonce.GILOnceCell(discard=print); full.set([]); full.is_set(); full.get(default=1)
    full.__init__(discard=len); full.__init__(); full.set([]); full.is_set(); attempt(full.set, [])
    attempt(full._publish, []); full._load(); full._clear(); drive(full.aget_or_init(later))
    losing = gilonce.GILOnceCell(discard=[].append)
    losing.get_or_init(lambda: losing.get_or_init(list) and [])
    attempt(lambda: gilonce.GILOnceCell(discard=3))
    f = gilonce.once(lambda: [])
    f(); f(); f.cell.take(); f(); attempt(f, 1); attempt(lambda: f(x=1)); f.__name__; repr(f); f.new = f
    attempt(gilonce.once, 3); attempt(gilonce.once(boom)); g = gilonce.once(list); g()
    for cls in Owner, Derived:
        it = cls()
        it.m(); it.m(); it.m; it.m.cell.get(); it.m.cell.take(); it.m(); cls.m(it); repr(it.m); attempt(it.m, 1)
        it.c(); cls.c(); cls.c.cell.take(); attempt(it.fails); it.x; it.x; attempt(lambda: it.xfails)
        del it.x; it.x; it.x = 1; cls.x.__get__(it); attempt(cls.m); attempt(cls.m, 1)
        Owner.x.__get__(it)
    it = Slotted(); it.x; it.x; del it.x; attempt(delattr, it, "x"); it.x = []; it.x = []; attempt(Slotted.x.__get__, 1)
    it.later = []; it.later = []; drive(it.later); del it.later; drive(it.later); it.later = it.later
    view = Slotted.x._cell_of(it); view.assign([]); view.assign([]); view.is_set(); view.take(); view.take()
    view.is_same_place(Slotted.later._cell_of(it)); attempt(view.__init__, view._definition, it, Slotted._x)
    view = Owner().m.cell; view.assign([]); view.assign([]); view.get_or_init(list); view.is_set(); view.take()
    view.take(); attempt(view.__init__, view._definition, {}, "key"); view.is_same_place(Owner().m.cell)
    gilonce.once(lambda: [], discard=[].append)(); gilonce.once(lambda: [], discard=Discard())
    gilonce.once(lambda self: [], discard=Discard())(Owner()); gilonce.once(lambda self: [], discard=Discard())
    gilonce.once(lambda self: []).__get__(Owner()).cell.get_or_init(list)
    for make in gilonce.OnceLock, lambda: gilonce.GILOnceCell(discard=Discard()):
        gilonce.once(lambda: [], cell=make)(); gilonce.once(lambda self: [], cell=make)(Owner())
        gilonce.once(classmethod(list), cell=make)
    for slot in None, "".join(["_", "x"]):
        prop = gilonce.once_property(lambda self: [], slot=slot, discard=Discard())
        for _ in range(2): prop.__set_name__(Slotted, "x"); prop.__init__(lambda self: [], slot=slot, discard=Discard())
        prop.__init__(lambda self: [], slot=slot)
        gilonce.once_property(len, slot=slot, discard=Discard()).__set_name__(Slotted, "".join(["x", "x"]))
    for kind in Namespace, Refusing:
        it = Elsewhere(kind()); attempt(it.m); it.m.cell.take(); it.m.cell.take()
    for cls in Hooked, Redirected:
        it = cls(); it.m(); it.m(); it.x; it.x
    p = gilonce.lazy_global(Owner, reify=False)
    repr(p); p.x; p.m(); attempt(getattr, p, "nothing"); p.__class__; p._self_cell; p.__wrapped__; p.new = 1; p.new
    q = gilonce.lazy_global(boom); attempt(getattr, q, "x"); attempt(len, q)
    class Local:
        @gilonce.once_property(slot="_x")
        def x(self): return self
        __slots__ = ("_x", "__weakref__")
    Local().x
"""


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="needs a debug build")
def test_nothing_leaks(native: ModuleType) -> None:
    """Total counts of references and blocks stay flat over hundreds of uses of every path."""
    program = USE + textwrap.dedent("""
        def settle():
            for _ in range(3): gc.collect()
            sys._clear_type_cache()  # it holds the names that were looked up last
            return sys.gettotalrefcount(), sys.getallocatedblocks()
        for _ in range(50): use()
        before = settle()
        for _ in range(300): use()
        after = settle()
        print(after[0] - before[0], after[1] - before[1])
    """)
    out = subprocess.run([sys.executable, "-c", program], env=environment("native"), capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    references, blocks = map(int, out.stdout.split())
    assert abs(references) < 60, (references, blocks)
    assert abs(blocks) < 60, (references, blocks)


def test_failing_allocations_raise_memory_error_or_do_not_matter(native: ModuleType) -> None:
    """Wherever memory runs out, what was asked for is done or MemoryError is raised, and nothing breaks.

    One allocation fails at a time, whichever it is. Left out is what the interpreter itself does not survive:
    making a class (it crashes), and a Python function that raises (a SystemError instead of the exception).
    """
    pytest.importorskip("_testcapi")
    program = textwrap.dedent("""
        import gc, _testcapi, gilonce
        from gilonce._once import BoundOnce
        from gilonce._bound import Definition, DictCell

        class Owner:
            @gilonce.once
            def m(self): pass
            @gilonce.once
            @classmethod
            def c(cls): pass
            x = gilonce.once_property(callable)
        class Derived(Owner):
            x = property(lambda self: 1)
        class Slotted:
            __slots__ = ("_x",)
            x = gilonce.once_property(callable, slot="_x")
        class Hooked(Owner):
            def __getattr__(self, name): pass

        cell, f, definition = gilonce.GILOnceCell(), gilonce.once(list), Definition(list, None, "")
        owner, slotted, derived, hooked = Owner(), Slotted(), Derived(), Hooked()
        slotted.x  # where the slot is, is found out in Python
        del slotted.x
        def boom():
            raise ValueError
        lazy, full = gilonce.lazy_global(list, reify=False), gilonce.GILOnceCell()
        lazy.append
        full.set(1)
        def forget(name):
            for it in owner, hooked:
                it.__dict__.clear()
        entries = {
            "cell": gilonce.GILOnceCell,
            "cell with discard": lambda: gilonce.GILOnceCell(discard=list),
            "get_or_init": lambda: cell.get_or_init(list),
            "get": cell.get,
            "take": cell.take,
            "set": lambda: (cell.take(), cell.set(1)),
            "call": lambda: (f(), f.cell.take()),
            "method": lambda: owner.m(),
            "fresh method": lambda: Owner().m(),
            "bound": lambda: owner.m,
            "bound call": lambda: Owner.m.__get__(Owner())(),
            "bound cell": lambda: DictCell(definition, {}, "key").get_or_init(list),
            "bound cell taken": lambda: DictCell(definition, {}, "key").take(),
            "property": lambda: Owner().x,
            "property through super()": lambda: Owner.x.__get__(derived),
            "slot": lambda: (slotted.x, delattr(slotted, "x")),
            "hooked": lambda: (hooked.x, hooked.m()),
            "new hooked": lambda: (Hooked().x, Hooked().m()),
            "once of a type": lambda: gilonce.once(list),
            "once of a function": lambda: gilonce.once(boom),
            "new property": lambda: gilonce.once_property(boom),
            "cell of a class": lambda: Owner.c.cell.get(),
            "of a class": lambda: Owner.c(),
            "repr": lambda: repr(full),
            "new proxy": lambda: gilonce.lazy_global(list, reify=False),
            "proxy": lambda: lazy.append,
            "touched proxy": lambda: gilonce.lazy_global(list, reify=False).append,
        }
        for entry in entries.values():
            entry()
        gc.disable()
        for name, entry in entries.items():
            for start in range(100):
                forget(name)
                _testcapi.set_nomemory(start, start + 1)
                try:
                    entry()
                except MemoryError:
                    pass
                finally:
                    _testcapi.remove_mem_hooks()
                entry()
        print("sound")
    """)
    out = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        env=environment("native"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.stdout == "sound\n", out.stderr[-3000:]


def test_subinterpreters_each_have_their_own(native: ModuleType) -> None:
    """The core works in an interpreter with its own GIL, and keeps nothing in common with ours."""
    program = USE + "assert gilonce.__implementation__ == 'native'\nuse()\n"
    program = program.replace("p = gilonce.lazy_global", "return\n    p = gilonce.lazy_global")
    host = textwrap.dedent("""
        import sys
        program = sys.stdin.read()
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        for _ in range(3):
            it = interpreters.create()
            if hasattr(interpreters, "exec"):
                failure = interpreters.exec(it, program)
                assert failure is None, failure
            else:
                interpreters.run_string(it, program)
            interpreters.destroy(it)
        print("fine")
    """)
    out = subprocess.run(
        [sys.executable, "-c", host],
        input=program,
        env=environment("native"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.stdout == "fine\n", out.stderr


@pytest.mark.skipif(
    not GIL and sys.version_info < (3, 14), reason="where it has no GIL, 3.13 makes our cell at the top level immortal"
)
def test_a_package_that_is_dropped_is_collected(native: ModuleType) -> None:
    """The core refers to the package's classes and the package to the core: a cycle, and all of it can be seen.

    Another takes the place, and finds everything as the first did, its documentation, too.
    """
    source = """
import gc, sys, weakref
def use():
    import gilonce
    from gilonce import _bound, _cell, _once, _property
    class Owner:
        __slots__ = ("_x", "__dict__")
        m = gilonce.once(lambda self: None)
        x = gilonce.once_property(list, slot="_x")
    Owner().m()
    types = [gilonce.GILOnceCell, type(gilonce.once(list)), type(vars(Owner)["m"]), type(Owner().m)]
    types += [gilonce.once_property, type(Owner.x), _bound.DictCell, _bound.SlotCell, _bound.Definition]
    assert gilonce.__implementation__ == "native"
    documented = gilonce.GILOnceCell.get.__doc__, gilonce.GILOnceCell.get.__text_signature__
    return [weakref.ref(it) for it in (*types, sys.modules["gilonce._native"])], documented
def drop():
    for name in [name for name in sys.modules if name.partition(".")[0] == "gilonce"]:
        del sys.modules[name]
references, documented = use()
drop()
sys._clear_type_cache()
for _ in range(3):
    gc.collect()
print([reference() for reference in references if reference() is not None])
# Of what is not let go of but has been in a cycle, the weak references are dead all the same.
print([it for it in gc.get_objects() if type(it) is type and it.__name__ in ("GILOnceCell", "Once", "BoundOnce")])
print(use()[1] == documented)
"""
    assert run_python(native, "-W", "ignore", "-c", source) == "[]\n[]\nTrue\n"


@pytest.mark.skipif(GIL, reason="needs a free-threaded build")
def test_the_gil_stays_off(native: ModuleType) -> None:
    assert native.__implementation__ == "native"
    assert not sys._is_gil_enabled()


def test_readers_that_race_with_take_never_touch_a_freed_object(native: ModuleType) -> None:
    """Readers get the old value, the new one, or none; each is whole."""
    cell = native.GILOnceCell()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            for _ in range(200):
                value = cell.get()
                assert value is None or value[0] == "whole"

    def take() -> None:
        for _ in range(1500):
            cell.get_or_init(lambda: ["whole", object()])
            cell.take()
        stop.set()

    assert run_threads(read, read, read, take) == [None] * 4


@pytest.mark.skipif(GIL, reason="needs a free-threaded build")
def test_a_freed_object_would_be_noticed(native: ModuleType) -> None:
    """The same where what is freed is overwritten at once, so that who touches it crashes or sees what is no value."""
    source = """
import gilonce, sys, threading
sys.setswitchinterval(1e-6)
cell = gilonce.GILOnceCell()
stop = threading.Event()
wrong = []
size = 100
whole = bytes(size)
def read():
    while not stop.is_set():
        for _ in range(200):
            value = cell.get()
            if value is not None and value != whole:
                wrong.append(1)
readers = [threading.Thread(target=read) for _ in range(3)]
for reader in readers:
    reader.start()
for _ in range(50_000):
    cell.set(bytes(size))  # of a type that keeps no free ones
    cell.take()
stop.set()
for reader in readers:
    reader.join()
print(len(wrong))
"""
    assert run_python(native, "-X", "dev", "-c", source) == "0\n"


def link_by_cell(native: Any, chain: object) -> object:
    cell = native.GILOnceCell()
    cell.set(chain)
    return cell


def link_by_discard(native: Any, chain: object) -> object:
    return native.GILOnceCell(discard=functools.partial(print, chain))


def link_by_function(native: Any, chain: object) -> object:
    function = native.once(list)
    function.cell.set(chain)
    return function


def link_by_method(native: Any, chain: object) -> object:
    class Owner:
        method = native.once(lambda _self: None)

    return vars(Owner)["method"].__get__(link_by_cell(native, chain))


def link_by_property(native: Any, chain: object) -> object:
    prop = native.once_property(list)
    prop.func = chain
    return prop


@pytest.mark.parametrize("link", [link_by_cell, link_by_discard, link_by_function, link_by_method, link_by_property])
@pytest.mark.parametrize("weakly", [False, True])
def test_a_long_chain_ends(native: ModuleType, link: Any, weakly: bool) -> None:
    """Objects that hold each other are dropped without a C stack frame for each.

    The stack of the thread that drops them has 42 bytes for each, too few for a frame; more for those that are slow
    to make. (It is no smaller, because CPython 3.13 does let ten thousand be dropped one inside the other.)
    """
    chain = None
    kept = []
    for _ in range({link_by_method: 10_000, link_by_property: 30_000}.get(link, 100_000)):
        chain = link(native, chain)
        if weakly:
            kept.append(weakref.ref(chain))
    chains = [chain]
    del chain
    usual = threading.stack_size(4 * 1024**2)
    try:
        assert run_threads(chains.clear) == [None]
    finally:
        threading.stack_size(usual)
    gc.collect()
    assert all(ref() is None for ref in kept)


@pytest.mark.parametrize("comparison", range(1, 6))
def test_a_key_that_is_no_string_confuses_no_reader(native: ModuleType, comparison: int) -> None:
    """Its `__eq__` runs while an attribute is looked for, and here another thread reads in the midst of that."""
    stopped, read = threading.Event(), threading.Event()
    comparisons: list[int] = []

    class Key(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return hash("x")

        def __eq__(self, other: object) -> bool:
            if threading.get_ident() == comparisons[0]:
                comparisons.append(comparison)
                if len(comparisons) == 1 + comparison:
                    stopped.set()
                    assert read.wait(WATCHDOG)
            return str.__eq__(self, other)

    class Owner:
        @native.once_property
        def x(self) -> str:
            return "value"

    owner: Any = Owner()
    vars(owner)[Key("y")] = 1

    def stop() -> object:
        comparisons.append(threading.get_ident())
        try:
            return owner.x
        finally:
            stopped.set()  # it has not compared so often

    def go_on() -> object:
        try:
            assert stopped.wait(WATCHDOG)
            return owner.x
        finally:
            read.set()

    assert run_threads(stop, go_on) == ["value"] * 2


def test_the_collector_sees_no_once_function_that_is_half_made(native: ModuleType) -> None:
    """Up to Python 3.11, any allocation may run it, and with it a program's callbacks."""
    once_type = type(native.once(list))
    seen = []

    def look(_phase: str, _info: object) -> None:
        seen.extend([it() for it in gc.get_objects() if type(it) is once_type and it._function is list])

    threshold = gc.get_threshold()
    gc.freeze()  # of all that is there already nothing is looked at, every time anew
    gc.callbacks.append(look)
    gc.set_threshold(1, 1, 1)
    try:
        kept = [native.once(list) for _ in range(20)]
        gc.collect()
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(look)
        gc.unfreeze()
    assert seen.count([]) == len(seen) >= len(kept)


def test_a_view_leads_where_it_led_when_it_was_made(native: ModuleType) -> None:
    """Readers follow it without a lock."""

    class Owner:
        method = native.once(lambda _self: "value")

    owner, other = Owner(), Owner()
    view = owner.method.cell
    with pytest.raises(TypeError, match="has its place already"):
        view.__init__(view._definition, vars(other), "key")
    view.set("set")
    assert (owner.method(), vars(other)) == ("set", {})


def test_a_slot_that_is_not_the_owners_is_no_place(native: ModuleType) -> None:
    """To write there is to write into whatever else the owner has at that offset."""
    bound = importlib.import_module("gilonce._bound")

    class Owner:
        __slots__ = ("_x",)

    class Other:
        __slots__ = ("_y",)

    definition = bound.Definition(list, None, "")
    with pytest.raises(TypeError, match=r"does not belong to a <class '.*Other'> object"):
        bound.SlotCell(definition, Other(), vars(Owner)["_x"])
    bound.SlotCell(definition, Owner(), vars(Owner)["_x"]).set(1)


def test_a_slot_that_can_only_be_read_is_no_place(native: ModuleType) -> None:
    """What has one takes for granted what is in there: ours, a once method's, is one."""
    bound = importlib.import_module("gilonce._bound")
    method = native.once(lambda _self: None).__get__(1)
    with pytest.raises(TypeError, match="is no slot that can be written"):
        bound.SlotCell(bound.Definition(list, None, ""), method, type(method).__func__)


def test_an_initializer_in_c_that_reaches_its_own_cell_is_a_recursion(native: ModuleType) -> None:
    """Not one of the calls is a call that the interpreter counts."""
    initializer: Any = functools.partial(list)
    function = native.once(initializer)
    initializer.__setstate__((function, (), {}, {}))
    with pytest.raises(RecursionError):
        function()
    assert not function.cell.is_set()


def test_who_watches_a_bound_method_is_told_of_its_end(native: ModuleType) -> None:
    ended: list[object] = []
    method = native.once(lambda _self: None).__get__(1)
    reference = weakref.ref(method, ended.append)
    del method
    assert ended == [reference]
    assert reference() is None


def test_what_a_lookup_may_rely_on_cannot_be_assigned(native: ModuleType) -> None:
    """The interpreter calls a once method without binding it, and so takes its type for one that stays as it is."""
    for once in native.once(list), native.once(lambda _self: None):
        with pytest.raises(TypeError, match="immutable type"):
            type(once).__get__ = lambda *_: "something else"


def test_only_what_the_core_knows_is_taken_over(native: ModuleType) -> None:
    take_over: Any = importlib.import_module("gilonce._native").take_over
    for unknown in type("Unknown", (), {}), lambda: None:
        with pytest.raises(LookupError, match="nothing in C takes the place of"):
            take_over(unknown)
    with pytest.raises(TypeError, match="takes a class"):
        take_over(3)


def test_no_field_can_be_deleted(native: ModuleType) -> None:
    prop = native.once_property(list)
    for name in "func", "attrname", "_definition", "_slot":
        with pytest.raises(AttributeError, match="cannot be deleted"):
            delattr(prop, name)


def test_names_of_wrapt_begin_as_the_proxy_expects(native: ModuleType) -> None:
    """The short cut to the real object is taken by a name's first letters."""
    if "__wrapped__" not in vars(wrapt.BaseObjectProxy):
        pytest.skip("wrapt runs in Python here, and so does the proxy")
    proxy = native.lazy_global(object)
    assert all(name.startswith(("__", "_self_")) for name in dir(type(proxy)))


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="from 3.11 on, a number is never given again")
def test_a_type_is_not_taken_for_another_with_its_old_number(native: ModuleType) -> None:
    """`sys._clear_type_cache()` makes the numbers of types begin anew."""

    class Base:
        __slots__ = ()
        x = native.once_property(lambda self: "read", slot="_x")

    class Owner(Base):
        __slots__ = ("_x",)

    class Other(Base):
        __slots__ = ("_else", "_x")

    def read_first(owner: Base) -> str:
        sys._clear_type_cache()
        return owner.x

    other = Other()
    other._else = "something else"
    assert [read_first(owner) for owner in (Owner(), other, Owner(), other)] == ["read"] * 4
