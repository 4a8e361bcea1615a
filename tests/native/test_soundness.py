"""The native core leaks nothing, survives failing allocations, and works in subinterpreters."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
import textwrap
from types import ModuleType
from typing import Any

import pytest
from support import IMPLEMENTATIONS, environment, run_python

pytestmark = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="the native core was not built here")

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()

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
    view.is_same_place(Slotted.later._cell_of(it)); attempt(view.__init__, view._definition, it, Slotted.x._member_for)
    view = Owner().m.cell; view.assign([]); view.assign([]); view.get_or_init(list); view.is_set(); view.take()
    view.take(); attempt(view.__init__, view._definition, it, "key"); view.is_same_place(Owner().m.cell)
    gilonce.once(lambda: [], discard=[].append)(); gilonce.once(lambda: [], discard=Discard())
    gilonce.once(lambda self: [], discard=Discard()).__get__(Owner())()
    gilonce.once(lambda self: [], discard=Discard())
    attempt(gilonce.once(lambda self: []), Owner()); attempt(gilonce.once(lambda self: []), Owner)
    attempt(cell.get_or_init, later); attempt(gilonce.GILOnceCell().get_or_init, later)
    def marked(): return []
    marked.mark = []; gilonce.once(marked); gilonce.once(staticmethod(marked)); attempt(gilonce.once, boom.__get__(1))
    gilonce.once(lambda self: []).__get__(Owner()).cell.get_or_init(list)
    for make in gilonce.OnceLock, lambda: gilonce.GILOnceCell(discard=Discard()):
        gilonce.once(lambda: [], cell=make)(); gilonce.once(lambda self: [], cell=make).__get__(Owner())()
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
        from gilonce._cells.registry import _registered
        def settle():
            for _ in range(3): gc.collect()
            _registered[:] = [it for it in _registered if it() is not None]  # else it waits for a thousand of them
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
    making a class (it crashes), a Python function that raises (a SystemError instead of the exception), and, in 3.13
    without a GIL, making a list of a given length (`PyList_New` then frees an array that is not the list's).
    """
    pytest.importorskip("_testcapi")
    program = textwrap.dedent("""
        import faulthandler, gc, sysconfig, _testcapi, wrapt, gilonce
        faulthandler.dump_traceback_later(100, exit=True)
        from gilonce._storage.bound import Definition, DictCell

        class Owner:
            @gilonce.once
            def m(self): pass
            @gilonce.once
            @classmethod
            def c(cls): pass
            x = gilonce.once_property(callable)
            @gilonce.once_per_args
            def k(self, x): pass
        class Key:
            def __eq__(self, other): return True
            def __hash__(self): return 7
        @gilonce.once_per_args
        def get(x, y=1): return x
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
        def empty(it):
            if not sysconfig.get_config_var("Py_GIL_DISABLED"):
                it.take_all()
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
            "bound cell": lambda: DictCell(definition, None, "key", {}).get_or_init(list),
            "bound cell taken": lambda: DictCell(definition, None, "key", {}).take(),
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
            "arguments": lambda: (get(1), get(2, y=3), empty(get)),
            "arguments that run code": lambda: (get(Key()), get(Key()), get.cell(Key()).take()),
            "cell of arguments": lambda: (get.cell(1).take(), get.cell(1).set(2)),
            "arguments of a method": lambda: (Owner().k(1), owner.k(1), empty(owner.k)),
            "repr": lambda: repr(full),
            "new proxy": lambda: gilonce.lazy_global(list, reify=False),
            "proxy": lambda: lazy.append,
            "touched proxy": lambda: gilonce.lazy_global(list, reify=False).append,
        }
        if "__wrapped__" not in vars(wrapt.BaseObjectProxy):  # then proxies are functions in Python that raise
            entries = {name: entry for name, entry in entries.items() if "proxy" not in name}
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


def test_a_package_that_is_dropped_is_collected(native: ModuleType) -> None:
    """The core refers to the package's classes and the package to the core: a cycle, and all of it can be seen.

    Another takes the place, and finds everything as the first did, its documentation, too.
    """
    source = """
import gc, sys, weakref
def use():
    import gilonce
    from gilonce._storage import bound
    class Owner:
        __slots__ = ("_x", "__dict__")
        m = gilonce.once(lambda self: None)
        x = gilonce.once_property(list, slot="_x")
    Owner().m()
    types = [gilonce.GILOnceCell, type(gilonce.once(list)), type(vars(Owner)["m"]), type(Owner().m)]
    types += [gilonce.once_property, type(Owner.x), bound.DictCell, bound.SlotCell, bound.Definition]
    assert gilonce.__implementation__ == "native"
    documented = gilonce.GILOnceCell.get.__doc__, gilonce.GILOnceCell.get.__text_signature__
    return [weakref.ref(it) for it in (*types, sys.modules["gilonce._native.core"])], documented
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


def test_an_initializer_in_c_that_reaches_its_own_cell_is_a_recursion(native: ModuleType) -> None:
    """Not one of the calls is a call that the interpreter counts."""
    initializer: Any = functools.partial(list)
    function = native.once(initializer)
    initializer.__setstate__((function, (), {}, {}))
    with pytest.raises(RecursionError):
        function()
    assert not function.cell.is_set()


def test_only_what_the_core_knows_is_replaced(native: ModuleType) -> None:
    replace: Any = importlib.import_module("gilonce._native.core").replace
    for unknown in type("Unknown", (), {}), lambda: None:
        with pytest.raises(LookupError, match="nothing in C replaces"):
            replace(unknown)
    with pytest.raises(TypeError, match="takes a class or a function"):
        replace(3)
