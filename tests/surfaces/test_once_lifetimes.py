"""@once: what it keeps alive, and what it does not."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import run_python


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="where it has no GIL, 3.13 makes every class immortal once there has been a thread",
)
def test_a_class_whose_value_nobody_asks_for_is_not_kept_alive(gilonce: ModuleType) -> None:
    """What a class is prepared with when it is made refers to it from nowhere else."""

    class Owner:
        @gilonce.once
        @classmethod
        def of_class(cls) -> None: ...

    reference = weakref.ref(Owner)
    del Owner
    gc.collect()
    assert reference() is None


def test_nothing_keeps_an_instance_alive(gilonce: ModuleType) -> None:
    """Neither decorator nor class; a value that refers to its instance is a plain cycle."""

    class Service:
        @gilonce.once
        def me(self) -> Service:
            return self

    service = Service()
    assert service.me() is service
    gone = weakref.ref(service)
    del service
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("through", ["function", "value", "owner"])
def test_a_once_function_in_a_cycle_is_collected(gilonce: ModuleType, through: str) -> None:
    """Whatever it refers to may refer to it: what it wraps, its value, what it is bound to."""

    class Thing:
        @gilonce.once
        def of_instance(self) -> None:
            return None

        def plain(self) -> None:
            return None

    thing: Any = Thing()
    if through == "function":
        thing.once = gilonce.once(thing.plain)
    elif through == "value":
        thing.once = gilonce.once(list)
        thing.once.cell.set(thing)
    else:
        thing.once = thing.of_instance
    gone = weakref.ref(thing)
    del thing
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("decorator", ["once(classmethod(me))", "classmethod(once(me))"])
def test_a_base_class_keeps_no_subclass_alive(gilonce: ModuleType, decorator: str) -> None:
    """Even where the value per class refers to the class.

    In a process of its own: free-threaded 3.13 makes classes immortal once a thread was started.
    """
    source = f"""
import gc, weakref
from gilonce import once
def me(cls): return cls
class Base:
    me = {decorator}
class Derived(Base): pass
assert Derived.me() is Derived
gone = weakref.ref(Derived)
del Derived
gc.collect()
assert gone() is None
"""
    run_python(gilonce, "-c", source)


@pytest.mark.parametrize("has_threads", [False, True])
def test_what_a_module_defined_ends_when_it_is_executed_again(
    gilonce: ModuleType, tmp_path: Path, has_threads: bool
) -> None:
    """Reloading a module, or running a notebook's cell again, frees the former functions, cells and values.

    In a process of its own: free-threaded 3.13 makes functions and classes immortal once a thread was started.
    """
    (tmp_path / "settings.py").write_text(
        """
import gilonce
class Value: pass
@gilonce.once
def connect(): return Value()
@gilonce.once(cell=gilonce.OnceLock)
def migrate(): return Value()
class Service:
    @gilonce.once
    def token(self): return Value()
    @gilonce.once
    @staticmethod
    def version(): return Value()
cell = gilonce.GILOnceCell()
cell.set(Value())
"""
    )
    program = f"""
import gc, importlib, sys, threading, weakref
sys.path.insert(0, {str(tmp_path)!r})
def use(module):
    service = module.Service()
    values = [module.connect(), module.migrate(), module.cell.get(), service.token(), module.Service.version()]
    functions = [module.connect, module.migrate, module.cell, vars(module.Service)["token"], module.Service.version]
    return [weakref.ref(it) for it in (*values, *functions, module.connect.cell)]
if {has_threads}:
    thread = threading.Thread(target=int); thread.start(); thread.join()
import settings
references = use(settings)
for _ in range(5):
    importlib.reload(settings)
    references += use(settings)
gc.collect()
# What the last execution defined is there; of its values, that of the instance is gone.
print(len(references), sum(reference() is not None for reference in references))
"""
    total, alive = map(int, run_python(gilonce, "-c", program).split())
    assert total == 66
    if has_threads and sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)():
        # The interpreter keeps the classes, each with the once method and the static method in it.
        assert alive <= 10 + 5 * 3
    else:
        assert alive == 10


def test_what_a_function_makes_of_a_function_ends(gilonce: ModuleType) -> None:
    """Of a function of the module, too."""
    source = """
import gc, gilonce, weakref
def connect():
    return []
class Service:
    def __init__(self):
        self.connect = gilonce.once(connect)
        self.connect.owner = self
        self.connect()
references = []
class Value:
    pass
def make():
    return Value()
def get():
    class Local:
        get = staticmethod(gilonce.once(make))
        cell = gilonce.GILOnceCell()
    Local.cell.set(Value())
    return [weakref.ref(Local.get()), weakref.ref(Local.cell.get())]
for _ in range(10):
    references.append(weakref.ref(Service()))
    references.extend(get())
gc.collect()
print(sum(reference() is not None for reference in references))
"""
    assert run_python(gilonce, "-c", source) == "0\n"
