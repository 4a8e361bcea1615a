"""Once functions and methods of an importable module: copies, pickles, processes and doctests."""

from __future__ import annotations

import copy
import doctest
import functools
import itertools
import multiprocessing
import pickle
import sys
import typing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import run_python

MODULE = '''
"""Once functions of a module, to be pickled by name."""
import os
from gilonce import once

@once
def process_id() -> int:
    """Return the process.

    >>> process_id() > 0
    True
    """
    return os.getpid()

class Service:
    @once
    def token(self):
        return object()

    @once
    @classmethod
    def name(cls):
        return cls.__name__

    @once
    @staticmethod
    def version():
        return (1, 0)
'''

#: A second import of one module would be a second definition of its functions.
serial = itertools.count()


@pytest.fixture
def module(gilonce: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Any]:
    """An importable module that uses @once."""
    name = f"once_in_a_module_{next(serial)}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__(name)
    del sys.modules[name]


def test_the_values_of_a_class_stay_behind_when_the_class_is_pickled_by_value(gilonce: ModuleType) -> None:
    """As cloudpickle does with classes of `__main__`: it copies the namespace, and pickles that."""

    class Service:
        @gilonce.once
        @classmethod
        def m(cls) -> list[type]:
            return [cls]

    assert Service.m() == [Service]
    hidden = vars(Service)["_abc_gilonce"]
    again = type("Service", (), {"m": vars(Service)["m"], "_abc_gilonce": pickle.loads(pickle.dumps(hidden))})
    assert again.m() == [again]


def test_doctests_in_a_wrapped_function_are_collected(module: Any) -> None:
    """A decorated function's examples are run, with its own module's globals."""
    tests = {test.name: test for test in doctest.DocTestFinder().find(module)}
    test = tests[f"{module.__name__}.process_id"]
    assert len(test.examples) == 1
    assert doctest.DocTestRunner().run(test).failed == 0


def test_functions_and_methods_are_pickled_by_name(module: Any) -> None:
    """What comes back in this process is the same object, as with functions."""
    for thing in (module.process_id, module.Service.token, module.Service.version):
        assert pickle.loads(pickle.dumps(thing)) is thing
        assert copy.copy(thing) is copy.deepcopy(thing) is thing
    assert pickle.loads(pickle.dumps(module.Service.name)) == module.Service.name
    service = module.Service()
    other = pickle.loads(pickle.dumps(service.token))
    assert other.__func__ is service.token.__func__


def test_a_once_function_is_sent_to_a_process_pool(module: Any) -> None:
    """Each process computes its own value of a function that is sent there."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        theirs = [pool.submit(module.process_id).result() for _ in range(2)]
    assert theirs[0] == theirs[1] != module.process_id()


def test_copies_of_an_instance_carry_its_value_and_nothing_shared(module: Any) -> None:
    """A copy has the computed value; what either computes later is its own."""
    original = module.Service()
    computed = original.token()
    assert copy.copy(original).token() is computed
    original.token.cell.take()
    assert copy.copy(original).token() is not original.token()


def test_a_pickled_instance_takes_its_values_along(module: Any) -> None:
    """Values are plain entries of `__dict__` under a key that means the same elsewhere."""
    service = module.Service()
    service.token.cell.set("computed")
    assert vars(service) == {f"{module.__name__}.Service.token()": "computed"}
    assert pickle.loads(pickle.dumps(service)).token() == "computed"


def test_an_instance_takes_its_values_to_a_spawned_process(gilonce: ModuleType, tmp_path: Path) -> None:
    """There the main module has another name, and its functions with it."""
    source = """
import multiprocessing
from gilonce import once
class Service:
    @once
    def token(self): return "computed here"
def value_there(service): return service.token.cell.get()
if __name__ == "__main__":
    service = Service()
    service.token()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(value_there, (service,)))
"""
    program = tmp_path / "program.py"
    program.write_text(source)
    assert run_python(gilonce, str(program)) == "computed here\n"


def test_a_local_definition_has_a_key_that_no_other_process_has(gilonce: ModuleType) -> None:
    """Of two that go by one name, each may come first; so no instance brings one the value of the other."""
    source = """
from gilonce import once
def keys(it):
    it.method(), it.lazily()
    return list(vars(it))
class Outside:
    @once
    def method(self): ...
    lazily = once(lambda self: None)
def inside():
    class Inside:
        @once
        def method(self): ...
        lazily = once(lambda self: None)
    return Inside()
print(*keys(Outside()), *keys(inside()), sep=", ")
"""
    one, other = ({*run_python(gilonce, "-c", source).strip().split(", ")} for _ in range(2))
    assert len(one) == 4
    assert one & other == {"__main__.Outside.method()"}


def test_what_has_no_name_cannot_be_pickled_and_says_so(gilonce: ModuleType) -> None:
    """A partial has no qualified name to be pickled by."""
    with pytest.raises((AttributeError, pickle.PicklingError), match=r"__qualname__|partial|list"):
        pickle.dumps(gilonce.once(functools.partial(list)))


@pytest.mark.parametrize("order", ["first second", "second first"])
def test_which_definition_has_which_key_does_not_depend_on_the_order_of_calls(gilonce: ModuleType, order: str) -> None:
    """So an instance that another process pickled has its values for the right methods."""
    namespace = {"once": gilonce.once, "__name__": f"module_{order}_{gilonce.__implementation__}"}
    source = """
class Owner:
    @once
    def method(*args):
        return "first"
    first = method
    @once
    def method(*args):
        return "second"
    second = method
"""
    exec(source, namespace)
    owner = namespace["Owner"]()
    for name in order.split():
        assert getattr(owner, name)() == name
    assert vars(owner)[f"{namespace['__name__']}.Owner.method()"] == "first"
    assert set(vars(owner).values()) == {"first", "second"}
