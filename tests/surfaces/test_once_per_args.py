"""`once_per_args`: which arguments are one key, and what can be decorated."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest
from support import RECURSION_ERRORS
from support.keys import settle


def test_the_same_arguments_are_one_key_however_they_are_spelled(gilonce: ModuleType) -> None:
    """They are bound to the signature first."""

    @gilonce.once_per_args
    def get(region: str, zone: int = 1, *, profile: str = "default") -> object:
        return object()

    spellings = [
        get("eu"),
        get(region="eu"),
        get("eu", 1),
        get("eu", zone=1),
        get(zone=1, region="eu"),
        get("eu", profile="default"),
        get(profile="default", zone=1, region="eu"),
    ]
    assert len(set(map(id, spellings))) == 1
    assert get("eu", 2) is not spellings[0]
    assert get("eu", profile="other") is not spellings[0]
    assert len(get.take_all()) == 3


def test_arguments_of_any_number_are_a_key(gilonce: ModuleType) -> None:
    """The order of keyword arguments does not matter, that of positional ones does."""

    @gilonce.once_per_args
    def get(first: int, /, *rest: int, **options: int) -> object:
        return (first, rest, tuple(options.items()))

    assert get(1, 2, 3, a=4, b=5) is get(1, 2, 3, b=5, a=4)
    assert get(1, 2, 3, a=4, b=5) == (1, (2, 3), (("a", 4), ("b", 5)))
    assert get(1) is get(1)
    different = [get(1), get(1, 2), get(1, 2, 3), get(1, 3, 2), get(1, a=2), get(1, first=2), get(1, 2, a=2)]
    assert len(set(map(id, different))) == len(different)


def test_a_function_without_parameters_has_one_key(gilonce: ModuleType) -> None:
    """It is `once` then, but for what has the name `cell`."""
    runs: list[None] = []
    get = gilonce.once_per_args(lambda: runs.append(None))
    assert get() is get() is None
    assert len(runs) == 1
    assert get.cell().is_set()


@pytest.mark.parametrize("name", ["lambda x: [x]", "lambda x, y=0: [x]", "lambda *x: [x]"])
def test_keys_compare_by_equality(gilonce: ModuleType, name: str) -> None:
    """As in a dict: plain values and others of one hash, whichever came first."""
    for order in ([1, 1.0, True, Fraction(1)], [Fraction(1), True, 1.0, 1]):
        get = gilonce.once_per_args(eval(name))
        assert len({id(get(one)) for one in order}) == 1
    get = gilonce.once_per_args(eval(name))
    assert get("1") is not get(1)
    assert get((1, 2)) is get((1, 2))
    assert get((1, (2, "x"))) is get((1.0, (2, "x")))
    nan = float("nan")
    assert get(nan) is get(nan)


@pytest.mark.parametrize("name", ["lambda x: [x]", "lambda x, y=0: [x]", "lambda *x: [x]", "lambda **x: [x]"])
def test_with_typed_they_compare_by_type_too(gilonce: ModuleType, name: str) -> None:
    """`typed=True`, as in `functools.lru_cache`."""
    get = gilonce.once_per_args(eval(name), typed=True)
    values = (
        [get(x=one) for one in (1, 1.0, True, Fraction(1))]
        if "**" in name
        else [get(one) for one in (1, 1.0, True, Fraction(1))]
    )
    assert len(set(map(id, values))) == 4
    assert (get(x=1) if "**" in name else get(1)) is values[0]


def test_key_computes_the_key_from_the_arguments_as_given(gilonce: ModuleType) -> None:
    """Without the instance or class, and before any default is filled in."""
    seen: list[Any] = []

    def key(*args: Any, **kwargs: Any) -> Any:
        seen.append((args, kwargs))
        return "key"

    class Owner:
        @gilonce.once_per_args(key=key)
        def method(self, x: Any, y: int = 0) -> Any:
            return [x]

        @gilonce.once_per_args(key=key)
        @classmethod
        def of_class(cls, x: Any) -> Any:
            return [x]

    @gilonce.once_per_args(key=key)
    def function(x: Any, *, y: int = 0) -> Any:
        return [x]

    owner = Owner()
    assert owner.method([1]) is owner.method([2], y=3) is Owner.method(owner, 4)
    assert Owner.of_class([1]) is Owner.of_class([2])
    assert function([1]) is function([2], y=3)
    given = [(([1],), {}), (([2],), {"y": 3})]
    assert seen == [*given, ((4,), {}), (([1],), {}), (([2],), {}), *given]
    assert function.cell(None).get() == [[1]]


def test_key_and_typed_go_together(gilonce: ModuleType) -> None:
    """The type is that of the key."""
    get = gilonce.once_per_args(lambda x: [x], key=lambda x: x, typed=True)
    assert get(1) is get(1)
    assert get(1) is not get(1.0)


def test_an_argument_that_cannot_be_hashed_is_named(gilonce: ModuleType) -> None:
    """The error says which parameter it is, and what to do."""

    @gilonce.once_per_args
    def get(region: Any, *rest: Any, profile: Any = None, **options: Any) -> None:
        pass

    class Owner:
        @gilonce.once_per_args
        def method(self, regions: Any) -> None:
            pass

    for call, name in (
        (lambda: get([]), "'region' is a 'list' object"),
        (lambda: get(1, {}), r"'\*rest' is a 'tuple' object"),
        (lambda: get(1, profile=set()), "'profile' is a 'set' object"),
        (lambda: get(1, other=[]), r"'\*\*options' is a 'tuple' object"),
        (lambda: get.cell([]), "'region' is a 'list' object"),
        (lambda: Owner().method([]), "'regions' is a 'list' object"),
        (lambda: Owner().method.cell(regions=[]), r"'regions' is a .*key=lambda regions: \.\.\."),
    ):
        with pytest.raises(TypeError, match=name) as caught:
            call()
        assert "key=" in str(caught.value)
        assert "unhashable type" in str(caught.value.__cause__)
    with_key = gilonce.once_per_args(lambda x: None, key=lambda x: [x])
    with pytest.raises(TypeError, match=r"needs a key that can be hashed, and its key= made a 'list' object"):
        with_key(1)


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, KeyboardInterrupt])
def test_what_a_key_raises_arrives_unchanged(gilonce: ModuleType, error: type[BaseException]) -> None:
    """From `__eq__`, and from `__hash__` unless that says that there is no hash."""
    raised = error("the key's own")

    class Bad:
        def __init__(self, name: str) -> None:
            self.name = name

        def __hash__(self) -> int:
            if self.name == "hash":
                raise raised
            return 7

        def __eq__(self, other: object) -> bool:
            raise raised

    for get in (gilonce.once_per_args(lambda x: [x]), gilonce.once_per_args(lambda x, y=1: [x])):
        get(Bad("first"))
        with pytest.raises(error) as caught:
            get(Bad("second"))
        assert caught.value is raised
        if error is not TypeError:
            with pytest.raises(error) as caught:
                get(Bad("hash"))
            assert caught.value is raised
        assert len(get.take_all()) == 1


def test_a_call_that_does_not_fit_the_signature_is_the_usual_error(gilonce: ModuleType) -> None:
    """With the function's own name in it. Nothing runs."""

    @gilonce.once_per_args
    def get(region: str, /, zone: int, *, profile: str) -> None:
        raise AssertionError

    for call, message in (
        (lambda: get(), "get() missing"),
        (lambda: get(1, 2, 3, profile=4), "takes 2 positional arguments"),
        (lambda: get(1, 2), "get() missing 1 required keyword-only argument: 'profile'"),
        (lambda: get(1, 2, zone=2, profile=3), "multiple values for argument 'zone'"),
        (lambda: get(1, 2, profile=3, other=4), "unexpected keyword argument 'other'"),
        (lambda: get(region=1, zone=2, profile=3), "get()"),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert message in str(caught.value)


def test_the_names_of_parameters_are_the_functions_own_business(gilonce: ModuleType) -> None:
    """None of them gets into the way of what is generated for the signature."""

    @gilonce.once_per_args
    def function(self: int, key: int, _ask: int, __front: int = 0, *args: int, function: int = 5, **_: int) -> Any:
        return [self, key, _ask, __front, args, function, _]

    assert function(1, 2, 3) == [1, 2, 3, 0, (), 5, {}]
    assert function(1, 2, 3) is function(self=1, key=2, _ask=3)
    get = gilonce.once_per_args(eval("lambda type, sorted, KeyError, map=4: [type]"), typed=True)
    assert get(1, 2, 3) is get(sorted=2, type=1, KeyError=3)


def test_callables_of_every_sort_can_be_wrapped(gilonce: ModuleType) -> None:
    """A class, a partial, what is written in C, a bound method, a decorated function."""

    class Client:
        def __init__(self, region: str = "eu") -> None:
            self.region = region

    def decorated(region: str, zone: int = 1) -> Any:
        return [region, zone]

    @functools.wraps(decorated)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return decorated(*args, **kwargs)

    client = gilonce.once_per_args(Client)
    assert client() is client("eu") is client(region="eu")
    partial = gilonce.once_per_args(functools.partial(decorated, zone=3))
    assert partial("x") is partial(region="x") is partial("x", zone=3)
    wrapped = gilonce.once_per_args(wrapper)
    assert wrapped("x") is wrapped("x", 1) is wrapped(region="x", zone=1)
    in_c = gilonce.once_per_args(bytearray)
    assert in_c(b"x") is in_c(b"x") is not in_c(b"y")
    bound = gilonce.once_per_args([[1], [2]].__getitem__)
    assert bound(0) is bound(0) is not bound(1)


def test_a_function_with_the_signature_of_another_is_called_as_the_call_is_written(gilonce: ModuleType) -> None:
    """The key is made with the signature that is shown. The function itself may take nothing but keywords."""

    def shown(a: int, b: int = 2) -> Any: ...

    @functools.wraps(shown)
    def keywords(**named: Any) -> Any:
        return [named]

    def signed(**named: Any) -> Any:
        return [named]

    signed.__signature__ = inspect.signature(shown)  # type: ignore[attr-defined]

    @functools.wraps(shown)
    def both(*args: Any, **named: Any) -> Any:
        return [args, named]

    for function in keywords, signed:
        get = gilonce.once_per_args(function)
        assert get(a=1) == [{"a": 1}]
        assert get(a=1) is get(b=2, a=1) is not get(a=2)
        assert get.cell(1).get() is get(a=1)
    get = gilonce.once_per_args(both)
    assert get(a=1) == [(), {"a": 1}]
    assert get(1) is get(a=1)


def test_what_cannot_be_wrapped_is_refused_when_it_is_decorated(gilonce: ModuleType) -> None:
    """With what to do instead."""

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> Any:
        yield 1

    for function in (generator, async_generator):
        with pytest.raises(TypeError, match=r"cannot wrap the generator function .*generator\(\).*Return a list"):
            gilonce.once_per_args(function)
    for wrong in (7, property(lambda self: 1)):
        with pytest.raises(TypeError, match="@once_per_args takes a callable, not"):
            gilonce.once_per_args(wrong)
    with pytest.raises(TypeError, match=r"once_per_args\(key=\.\.\.\) takes a callable that makes a key"):
        gilonce.once_per_args(key="region")
    with pytest.raises(TypeError, match=r"once_per_args\(discard=\.\.\.\) takes a callable"):
        gilonce.once_per_args(discard=7)
    with pytest.raises(TypeError, match=r"once_per_args\(cell=\.\.\.\) takes a callable that makes a cell"):
        gilonce.once_per_args(cell=7)
    with pytest.raises(TypeError, match=r"once_per_args\(cell=\.\.\., discard=\.\.\.\)"):
        gilonce.once_per_args(cell=gilonce.OnceLock, discard=print)


def test_without_init_it_says_so(gilonce: ModuleType) -> None:
    """Whoever makes one in another way gets an error, and not a crash."""
    kind = type(gilonce.once_per_args(int))
    empty = kind.__new__(kind)
    with pytest.raises(AttributeError):
        empty(1)
    with pytest.raises(AttributeError, match="was not initialized"):
        _ = empty.name


def test_a_call_has_no_name_but_that_of_its_arguments(gilonce: ModuleType) -> None:
    """The initializer of a cell is for messages only."""
    from gilonce._surfaces.once_per_args import Call

    call = Call(int, ("7",), {}, 0)
    assert call() == 7
    assert call.__qualname__ == "int('7')"
    assert not hasattr(call, "__name__")


def test_recursion_without_end_is_pythons_own_error(gilonce: ModuleType) -> None:
    """And leaves the cells usable."""
    get = gilonce.once_per_args(lambda number: get(number + 1) if number >= 0 else "end")
    with pytest.raises(RECURSION_ERRORS, match="recursion"):
        get(0)
    assert get(-1) == "end"
    settle()
    assert get.take_all() == ["end"]
