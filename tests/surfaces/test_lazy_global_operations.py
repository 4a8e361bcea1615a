"""lazy_global: what an untouched proxy can do."""

from __future__ import annotations

import asyncio
import copy
import math
import operator
import pickle
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.lazy import Everything, lazily


def subclass(base: Any) -> type:
    class Sub(base):  # type: ignore[misc]
        pass

    return Sub


OPERATIONS = """
len(x); list(x); hash(x); str(x); bool(x); sorted(x); list(iter(x)); list(reversed(x)); dir(x); vars(x); bytes(x)
abs(x); int(x); float(x); complex(x); round(x); round(x, 1); operator.index(x); -x; +x; ~x; operator.length_hint(x)
math.floor(x); math.ceil(x); math.trunc(x)
x + x; x - 1; 1 - x; x * 2; [0] * x; x @ x; x % 2; 2 % x; x // 2; 9 // x; x / 2; 9 / x; x << 1; 1 << x; x >> 1; 9 >> x
divmod(x, 3); divmod(30, x); x ** 2; 2 ** x; pow(x, 2, 5); x & 1; 1 & x; x | {1: 2}; {1: 2} | x; x ^ 1; 1 ^ x
x < 5; x <= 5; x > 5; x >= 5; 5 >= x; x == 7; x != 7; x == x; [x] == [x]; {x: 1}[value]
x[0]; x["a"]; x[0:1]; 1 in x; "a" in x; [*range(9)][x]; range(x); x(); next(x); x.upper(); x.nothing
operator.setitem(x, 0, 5); operator.delitem(x, 0)
f"{x:>5}"; f"{x!s}"; "%s" % (x,); "{}".format(x)
isinstance(x, int); isinstance(x, str); isinstance(1, x); issubclass(bool, x); subclass(x).__mro__[1:]
x.__name__; x.__qualname__; x.__module__; x.__doc__; x.__class__; x.__annotations__; x.__dict__
copy.copy(x); copy.deepcopy(x); pickle.loads(pickle.dumps(x)); operator.itemgetter(0)(x)
"""

if sys.version_info >= (3, 12):
    OPERATIONS += "memoryview(x).tolist()"


@pytest.mark.parametrize(
    "value", [7, 7.5, "text", b"bytes", [1, 2], {"a": 1}, None, int, len, Fraction, Fraction(7, 2)], ids=repr
)
def test_an_untouched_proxy_does_what_the_real_object_does(gilonce: ModuleType, value: Any) -> None:
    """The same result, or an error of the same type, for every operation and kind of object."""

    def outcome(operation: str, x: Any) -> Any:
        names = {**globals(), "math": math, "value": value, "x": x}
        try:
            return eval(operation, names)
        except Exception as error:
            return type(error)

    for cls in type(lazily(gilonce, value)).__mro__:
        # Whose annotations somebody asked for, as `isinstance` with a protocol does, has some, and so has a proxy.
        if vars(cls).get("__annotations__") == {}:
            del cls.__annotations__
    for operation in OPERATIONS.replace("\n", ";").split(";"):
        if operation.strip():
            expected = outcome(operation.strip(), copy.copy(value))
            assert expected is not NameError, operation
            assert outcome(operation.strip(), lazily(gilonce, copy.copy(value))) == expected, operation


def test_with_and_async_protocols_work_on_an_untouched_proxy(gilonce: ModuleType) -> None:
    """`with`, `async with`, `await`, `async for`, `next`, a call: each is a first touch."""
    with lazily(gilonce, Everything()) as entered:
        assert entered == "entered"

    async def main() -> None:
        async with lazily(gilonce, Everything()) as entered:
            assert entered == "entered later"
        assert await lazily(gilonce, Everything()) == "awaited"
        assert [x async for x in lazily(gilonce, Everything())] == ["next later"]
        assert await anext(lazily(gilonce, Everything())) == "next later"

    asyncio.run(main())
    assert next(lazily(gilonce, Everything())) == "next"
    assert lazily(gilonce, Everything())(1, self=2) == ((1,), {"self": 2})
    assert operator.length_hint(lazily(gilonce, Everything())) == 5


def test_a_lazy_coroutine_that_is_being_awaited_cannot_be_awaited_again(gilonce: ModuleType) -> None:
    """As without a proxy."""

    class Waits:
        def __await__(self) -> Any:
            yield

    async def inner() -> None:
        await Waits()

    async def outer(it: Any) -> None:
        await it

    coroutine = inner()
    proxy = lazily(gilonce, coroutine)
    first, second = outer(proxy), outer(proxy)
    first.send(None)
    with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
        second.send(None)
    first.close()


def test_what_the_real_object_lacks_raises_the_real_objects_error(gilonce: ModuleType) -> None:
    """The message speaks of the real type, not of a proxy."""

    async def enter(x: Any) -> None:
        async with x:
            pass

    async def wait(x: Any) -> None:
        await x

    def leave(x: Any) -> None:
        with x:
            pass

    operations = [
        lambda x: x(),
        iter,
        next,
        len,
        lambda x: x[0],
        lambda x: x + "a",
        lambda x: x < "a",
        lambda x: x.nothing,
        lambda x: hash([x]),
        lambda x: open(x, b"no mode"),  # noqa: SIM115
        leave,
        lambda x: enter(x).send(None),
        lambda x: wait(x).send(None),
        aiter,
    ]
    for operate in operations:
        with pytest.raises((TypeError, AttributeError)) as real:
            operate(7)
        with pytest.raises((TypeError, AttributeError)) as ours:
            operate(lazily(gilonce, 7))
        assert (type(ours.value), str(ours.value)) == (type(real.value), str(real.value))


def test_a_path_can_be_opened(gilonce: ModuleType, tmp_path: Path) -> None:
    """`open(P)` works for a `Path` and for a `str`."""
    path = tmp_path / "file"
    path.write_text("text")
    for value in (path, str(path), str(path).encode()):
        for interface in (None, type(value)):
            with open(lazily(gilonce, value, interface=interface)) as file:
                assert file.read() == "text"


def test_attributes_are_read_set_and_deleted_on_the_real_object(gilonce: ModuleType) -> None:
    """Everything but `_self_` names goes through."""
    real = Everything()
    proxy = lazily(gilonce, real)
    proxy.new = 1
    assert real.new == 1  # type: ignore[attr-defined]
    del proxy.new
    assert not hasattr(real, "new")
    proxy._self_mine = 2
    assert not hasattr(real, "_self_mine")
    assert proxy._self_mine == 2
    assert proxy.__wrapped__ is real
    assert proxy._self_cell.get() is real


@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "lshift", "rshift", "and_", "or_", "xor"]
)
def test_an_in_place_operator_on_a_number_leaves_the_proxy_that_others_hold(gilonce: ModuleType, name: str) -> None:
    """`X += 1` gives a new int, of the real type."""
    proxy = lazily(gilonce, 7)
    result = getattr(operator, f"i{name.rstrip('_')}")(proxy, lazily(gilonce, 2))
    assert result == getattr(operator, name)(7, 2)
    assert type(result) in (int, float)
    assert proxy == 7


def test_an_in_place_operator_on_a_list_extends_the_list(gilonce: ModuleType) -> None:
    """As on the list itself, for everybody who holds it."""
    real = [1]
    proxy = other = lazily(gilonce, real)
    proxy += [2]
    assert proxy is real
    assert other == [1, 2]
    operator.imul(other, 2)
    assert real == [1, 2, 1, 2]
    with pytest.raises(TypeError, match=r"unsupported operand type.*@=: 'list' and 'int'"):
        other @= 1


def test_a_list_is_extended_in_place_by_a_lazy_iterable(gilonce: ModuleType) -> None:
    """Python asks the right operand first; a lazy tuple leaves the work to the list."""
    real = other = [1]
    real += lazily(gilonce, (2, 3))
    assert real is other
    assert real == [1, 2, 3]
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + lazily(gilonce, "a")


def test_a_type_error_of_the_factory_is_not_one_of_an_addition(gilonce: ModuleType) -> None:
    """It reaches the caller unchanged, and the factory runs once for each operation."""
    errors: list[TypeError] = []

    def fail() -> Any:
        errors.append(TypeError("of the factory"))
        raise errors[-1]

    proxy = gilonce.lazy_global(fail, reify=False)
    left: Any = [1]
    for number, add in enumerate((operator.add, operator.iadd), start=1):
        with pytest.raises(TypeError, match="of the factory") as caught:
            add(left, proxy)
        assert len(errors) == number
        assert caught.value is errors[-1]
    assert left == [1]


def test_operators_between_proxies_see_the_real_objects(gilonce: ModuleType) -> None:
    """A lazy set takes in a lazy set, in place."""
    real = {1}
    proxy = lazily(gilonce, real)
    proxy |= lazily(gilonce, {2})
    assert proxy is real
    assert real == {1, 2}


def test_a_lazy_function_in_a_class_is_a_method(gilonce: ModuleType) -> None:
    """Descriptors bind through the proxy; what is none stays what it is."""
    function = lazily(gilonce, lambda self: ("bound", self))
    number = lazily(gilonce, 7)

    class Owner:
        method = function
        attribute = number

    owner = Owner()
    assert owner.method() == ("bound", owner)
    assert owner.attribute == Owner.attribute == 7
    owner.attribute = 8
    assert owner.attribute == 8


def test_an_interface_with_a_data_descriptor_sets_and_deletes(gilonce: ModuleType) -> None:
    """`__set__`, `__delete__` and `__set_name__` come with an interface that has them."""
    real = Everything()
    descriptor = lazily(gilonce, real, interface=Everything)

    class Owner:
        attribute = descriptor

    owner = Owner()
    owner.attribute = 1
    del owner.attribute
    assert owner.attribute == (owner, Owner)
    assert real.log == ["named attribute", "set 1", "deleted"]


def test_a_copy_and_a_pickle_are_the_real_objects(gilonce: ModuleType) -> None:
    """`copy`, `deepcopy` and pickle see through the proxy; reading the pickle needs no gilonce."""
    real = [["nested"]]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps([lazily(gilonce, real), real], protocol)
        assert b"gilonce" not in pickled
        through, direct = pickle.loads(pickled)
        assert through == real
        assert through is direct
    assert copy.copy(lazily(gilonce, real)) == real
    assert copy.copy(lazily(gilonce, real))[0] is real[0]
    assert copy.deepcopy(lazily(gilonce, real))[0] is not real[0]
    assert type(copy.copy(lazily(gilonce, real))) is list


def test_a_base_class_may_be_a_lazy_object_that_stands_for_bases(gilonce: ModuleType) -> None:
    """`__mro_entries__` of the object is asked, if it has one."""

    class Bases:
        def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
            return (int, str)[:1]

    assert subclass(lazily(gilonce, Bases())).__mro__[1:] == int.__mro__
    assert subclass(lazily(gilonce, list)).__mro__[1:] == list.__mro__
    with pytest.raises(TypeError):
        subclass(lazily(gilonce, 7))


def test_what_looks_past_a_proxys_own_lookup_finds_the_object(gilonce: ModuleType) -> None:
    """`inspect.getattr_static` gets a dict, and wrapt in Python the object at the first touch."""
    found: Any = object.__getattribute__(lazily(gilonce, Fraction), "__dict__")
    assert found.items() >= vars(Fraction).items()
    assert found["__rpow__"] is vars(Fraction)["__rpow__"]
    assert "__complex__" in found  # from a base
    real = Everything()
    assert object.__getattribute__(lazily(gilonce, real), "__dict__") is vars(real)
    proxy = lazily(gilonce, real)
    assert type(proxy).__getattr__(proxy, "attribute") == "attribute"
    if gilonce.__implementation__ == "python":
        assert type(proxy).__getattr__(lazily(gilonce, real), "__wrapped__") is real
