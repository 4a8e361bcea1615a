"""@once: which argument of a call is an instance or class that the function belongs to, and which is a mistake."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import MethodType, ModuleType
from typing import Any
from unittest import mock

import pytest
import wrapt
from support import drive, race, run_threads

#: How the owner is found does not depend on the cell. PyPy takes seconds to look through all objects for a referrer.
CELLS = [None, "OnceLock", "ThreadOnceCell"] if sys.implementation.name == "cpython" else [None]


def connect(config: Any) -> list[Any]:
    """Stand for a module's function that somebody decorates, although it takes an argument."""
    return [config]


def hiding(*args: Any) -> list[Any]:
    """The same, behind a signature that takes anything."""
    return [*args]


async def aconnect(config: Any) -> list[Any]:
    return [config]


class Config:
    dsn = "a"


def wraps_it(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def hides_it(function: Any) -> Any:
    return lambda *args: function(*args)


@wrapt.decorator  # type: ignore[untyped-decorator]
def wrapts_it(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


def called(function: Any, *args: Any) -> Any:
    """Call it, and await the result if it is a coroutine."""
    made = function(*args)
    return drive(made) if hasattr(made, "__await__") else made


@pytest.fixture(params=CELLS, ids=str)
def options(request: pytest.FixtureRequest, gilonce: ModuleType) -> dict[str, Any]:
    return {} if request.param is None else {"cell": getattr(gilonce, request.param)}


# What is refused


@pytest.mark.parametrize("function", [connect, hiding, aconnect], ids=lambda function: function.__name__)
def test_an_argument_of_a_function_that_is_not_a_method_is_refused(
    gilonce: ModuleType, options: dict[str, Any], function: Any
) -> None:
    """The error names the function and what to use. Nothing runs, and nothing is put into the argument."""

    @functools.wraps(function)
    def watched(*args: Any) -> Any:
        return pytest.fail("must not run")

    once = gilonce.once(watched if function is not aconnect else aconnect, **options)
    config = Config()
    arguments = [config, "a.toml", 3, Config, int, None, mock.Mock(), once]
    if sys.implementation.name == "pypy":
        del arguments[2:]  # there each takes seconds, because `get_referrers` looks at all objects of the process
    for argument in arguments:
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) takes no arguments, .*@once_per_args"):
            once(argument)
    assert vars(config) == {}
    assert "_abc_gilonce" not in vars(Config)


def test_the_error_names_the_class_of_the_argument_and_the_ways_out(gilonce: ModuleType) -> None:
    """It may be a method behind a decorator that hides it: then the message says what helps."""
    once = gilonce.once(connect)
    with pytest.raises(
        TypeError, match=r"it is not a method of 'Config'.*functools\.wraps.*connect\.__get__\(obj\)\(\)"
    ):
        once(Config())
    with pytest.raises(TypeError, match="it is not a method of 'Config'"):
        once(Config)
    with pytest.raises(TypeError, match="it is not a method of 'str'"):
        once("a.toml")


@pytest.mark.parametrize("where", ["a function", "a class in a function"])
def test_a_function_in_a_function_is_not_a_method_and_one_in_a_class_there_is(gilonce: ModuleType, where: str) -> None:
    """The `__qualname__` tells the one from the other."""

    class Local:
        @gilonce.once
        def method(self) -> str:
            return "value"

    @gilonce.once
    def function(config: object) -> str:
        return "value"

    if where == "a function":
        with pytest.raises(TypeError, match="@once_per_args"):
            function(Config())
    else:
        # Another class's instance is as welcome as in a call of an undecorated method.
        assert Local.method(Config()) == "value"


def test_a_call_by_a_callback_is_refused_too(gilonce: ModuleType) -> None:
    """`map`, a thread and a starred call pass the argument as a call does."""
    once = gilonce.once(connect)
    config = Config()
    failures: list[BaseException] = []

    def in_thread() -> None:
        try:
            once(*[config])
        except TypeError as error:
            failures.append(error)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert len(failures) == 1
    for call in (lambda: list(map(once, [config])), lambda: once(*(config,)), lambda: sorted([config], key=once)):
        with pytest.raises(TypeError, match="@once_per_args"):
            call()
    assert vars(config) == {}


def test_a_bound_method_of_another_object_excuses_nobody(gilonce: ModuleType) -> None:
    """That one instance has been bound says nothing about the next."""
    once = gilonce.once(connect)
    config, other = Config(), Config()
    kept = MethodType(once, other)
    assert kept() == [other]
    for call in (lambda: once(config), lambda: list(map(once, [config]))):
        with pytest.raises(TypeError, match="@once_per_args"):
            call()


def test_without_an_argument_it_is_told_of_both(gilonce: ModuleType) -> None:
    """It may be a method that was called on nothing, or a function that lacks its argument."""
    with pytest.raises(TypeError, match=r"connect\(\) is a method .*call it on one.*@once_per_args"):
        gilonce.once(connect)()


def test_nothing_that_is_lazy_is_touched_to_find_the_function(gilonce: ModuleType) -> None:
    """The class of the argument may have a lazy global, a mock, or an object with an answer to every name."""
    asked: list[str] = []

    class Answering:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return self

    class Raising:
        @property
        def func(self) -> object:
            raise ValueError

    class Circle:
        @property
        def __wrapped__(self) -> object:
            return self

    class Holder:
        lazy = gilonce.lazy_global(lambda: asked.append("the factory"), reify=False)
        of_wrapt = wrapt.LazyObjectProxy(lambda: asked.append("the factory of wrapt"))
        answering = Answering()
        raising = Raising()
        circle = Circle()
        mocked = mock.MagicMock()

    with pytest.raises(TypeError, match="@once_per_args"):
        gilonce.once(connect)(Holder())
    assert asked == []
    assert Holder.mocked.mock_calls == []


# What goes on


BINDINGS: dict[str, Callable[[Any, Any], Any]] = {
    "__get__": lambda once, owner: once.__get__(owner),
    "__get__, starred": lambda once, owner: functools.partial(
        lambda bound, args: bound(*args), once.__get__(owner), ()
    ),
    "MethodType": lambda once, owner: lambda: MethodType(once, owner)(),
    "MethodType, kept": MethodType,
    "MethodType, starred": lambda once, owner: lambda args=(): MethodType(once, owner)(*args),
    "MethodType, in C": lambda once, owner: functools.partial(MethodType(once, owner)),
    "MethodType, as a callback": lambda once, owner: lambda: next(iter(MethodType(once, owner), None)),
}
if sys.implementation.name == "pypy":
    # PyPy's collector does not find the bound method of a call that is under way. `__get__` does not need that.
    del BINDINGS["MethodType, starred"]


@pytest.mark.parametrize("function", [connect, hiding, aconnect], ids=lambda function: function.__name__)
@pytest.mark.parametrize("binding", BINDINGS)
def test_a_bound_call_is_never_refused(
    gilonce: ModuleType, options: dict[str, Any], binding: str, function: Any
) -> None:
    """Whoever binds the function to an object says that the object is an instance."""
    once = gilonce.once(function, **options)
    owner = Config()
    bound = BINDINGS[binding](once, owner)
    if binding == "MethodType, as a callback" and function is aconnect:
        return  # a coroutine that `iter` would drop
    value = called(bound)
    assert value == [owner]
    assert called(once.__get__(owner)) is value
    # Now the object has a value, which an ordinary call gives.
    assert called(once, owner) is value


def test_a_bound_method_in_an_instance_is_never_refused(gilonce: ModuleType) -> None:
    """`obj.m = MethodType(once_function, obj)` is how one instance gets a method."""
    owner: Any = Config()
    owner.connect = MethodType(gilonce.once(connect), owner)
    assert owner.connect() is owner.connect()
    assert [it[0] for it in run_threads(*[owner.connect] * 4)] == [owner] * 4


@pytest.mark.parametrize(
    "decorate", [wraps_it, hides_it, wrapts_it], ids=lambda it: getattr(it, "__name__", "wrapts_it")
)
def test_decorators_above_a_method_go_on(gilonce: ModuleType, options: dict[str, Any], decorate: Any) -> None:
    """With `functools.wraps` and without: the function was defined in a class body."""

    class Owner:
        @decorate
        @gilonce.once(**options)
        def method(self) -> list[Any]:
            return [self]

        @classmethod
        @decorate
        @gilonce.once(**options)
        def of_class(cls) -> list[Any]:
            return [cls]

    owner = Owner()
    assert owner.method() is owner.method()
    assert owner.method() == [owner]
    assert Owner.of_class() is owner.of_class()


LATER: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "itself": (lambda once: once, lambda owner: owner.name()),
    "itself, on the class": (lambda once: once, lambda owner: type(owner).name(owner)),
    "property": (property, lambda owner: owner.name),
    "cached_property": (functools.cached_property, lambda owner: owner.name),
    "classmethod": (classmethod, lambda owner: owner.name()),
    "wraps": (wraps_it, lambda owner: owner.name()),
    "wrapt": (wrapts_it, lambda owner: owner.name()),
    "property of wraps of wraps": (lambda once: property(wraps_it(wraps_it(once))), lambda owner: owner.name),
    "partialmethod": (functools.partialmethod, lambda owner: owner.name()),
    "lru_cache": (functools.lru_cache, lambda owner: owner.name()),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("function", [connect, hiding], ids=lambda function: function.__name__)
@pytest.mark.parametrize("how", LATER)
def test_a_function_that_is_put_into_a_class_is_a_method_there(
    gilonce: ModuleType, options: dict[str, Any], how: str, function: Any
) -> None:
    """Also later, behind a descriptor or a decorator that shows what it wraps, and in a subclass."""
    put, ask = LATER[how]

    class Owner:
        pass

    class Derived(Owner):
        pass

    name = put(gilonce.once(function, **options))
    Owner.name = name  # type: ignore[attr-defined]
    if hasattr(name, "__set_name__"):
        name.__set_name__(Owner, "name")
    for owner in Owner(), Derived():
        value = ask(owner)
        assert value == [type(owner) if how == "classmethod" else owner]
        assert ask(owner) is value


def test_a_method_of_a_metaclass_that_is_put_there_later_takes_classes(gilonce: ModuleType) -> None:
    """A class is an instance of its metaclass."""

    class Meta(type):
        pass

    class Owner(metaclass=Meta):
        pass

    Meta.name = once = gilonce.once(connect)  # type: ignore[attr-defined]
    assert Meta.name(Owner) is Owner.name() is once(Owner)  # type: ignore[attr-defined]


def test_a_once_property_of_a_once_function_reaches_it(gilonce: ModuleType) -> None:
    """It calls what it wraps with the instance."""

    class Owner:
        attribute = gilonce.once_property(gilonce.once(connect))
        method = gilonce.once(gilonce.once(hiding))

    owner = Owner()
    assert owner.attribute == owner.method() == [owner]


def test_what_has_no_qualified_name_is_not_judged(gilonce: ModuleType) -> None:
    """Where nothing says that the function stands outside classes, an argument is taken for an instance."""

    class Callable_:
        def __get__(self, instance: object, owner: type | None = None) -> Any:
            return self if instance is None else MethodType(self, instance)

        def __call__(self, *args: Any) -> list[Any]:
            return [*args]

    owner = Config()
    assert gilonce.once(Callable_())(owner) == [owner]


def test_an_owner_with_a_value_is_not_looked_at_again(gilonce: ModuleType, options: dict[str, Any]) -> None:
    """The check is on the cold path only: a warm call looks at no class."""
    once = gilonce.once(connect, **options)

    class Meta(type):
        looked: list[str] = []  # noqa: RUF012

        def __getattribute__(cls, name: str) -> Any:
            Meta.looked.append(name)
            return super().__getattribute__(name)

    class Owner(metaclass=Meta):
        pass

    owner = Owner()
    value = once.__get__(owner)()
    del Meta.looked[:]
    assert once(owner) is value
    assert "__mro__" not in Meta.looked


def test_threads_that_are_refused_and_threads_that_are_not_do_not_disturb_each_other(gilonce: ModuleType) -> None:
    """One object for every bound call, an error for every other, until there is a value."""
    # PyPy takes seconds to look for referrers.
    for _ in range(50 if sys.implementation.name == "cpython" else 2):
        once = gilonce.once(connect)
        owner = Config()

        def bound(once: Any = once, owner: Any = owner) -> Any:
            return once.__get__(owner)()

        def unbound(once: Any = once, owner: Any = owner) -> Any:
            return once(owner)

        outcomes = run_threads(bound, unbound, bound, unbound)
        assert outcomes[0] is outcomes[2]
        for outcome in (outcomes[1], outcomes[3]):
            assert outcome is outcomes[0] or type(outcome) is TypeError
        assert set(map(id, race(bound))) == {id(outcomes[0])}
