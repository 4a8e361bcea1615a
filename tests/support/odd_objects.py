"""Odd objects, made from a description, so that each implementation gets its own.

A description is a name in `ODD`, or a pair of a name in `AROUND` and another description.
An odd object raises only exceptions whose class is marked `Odd`. So a test can tell them from the exceptions that
gilonce raises.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable
from typing import Any
from unittest import mock

import wrapt
from hypothesis import strategies


class Odd:
    """Marks every exception that an odd object raises."""


class OddError(Odd, Exception):
    pass


class OddAttributeError(Odd, AttributeError):
    pass


class OddTypeError(Odd, TypeError):
    pass


class OddEscape(Odd, BaseException):
    pass


ERRORS = (OddError, OddAttributeError, OddTypeError, OddEscape)

ODD: dict[str, Callable[[], Any]] = {}
AROUND: dict[str, Callable[[Any], Any]] = {}


def odd(make: Callable[[], Any]) -> Callable[[], Any]:
    ODD[make.__name__.replace("_", " ").strip()] = make
    return make


def around(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    AROUND[make.__name__.replace("_", " ").strip()] = make
    return make


def raising(error: type[BaseException]) -> Callable[..., Any]:
    def method(*_: object, **__: object) -> Any:
        raise error("odd")

    return method


def a_class(**namespace: Any) -> Any:
    """Return a new class whose instances can be called."""
    return type("AnOddOne", (), {"__call__": lambda _self: "a value", **namespace})


for _name, _value in {
    "None": None,
    "a number": 7,
    "zero": 0,
    "a negative number": -1.0,
    "a huge number": 10**400,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "true": True,
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "no identifier": "not an identifier!",
    "a surrogate": "\udcff",
    "a null character": "a\0b",
    "an empty string": "",
    "bytes": b"_x",
    "a dunder": "__dict__",
    "a slot": "_x",
    "a module": operator,
    "a class": list,
    "type": type,
    "object": object,
    "a builtin": bin,
    "a method of C": "".join,
    "a wrapper of C": object.__init__,
    "a generic": list[int],
    "a union": int | str,
    "an exception class": OddEscape,
}.items():
    ODD[_name] = lambda value=_value: value  # type: ignore[misc]

for _error in (*ERRORS, StopIteration, GeneratorExit, MemoryError):
    # The last three are Python's own, hence not marked; each use must let them through, or say what else.
    ODD[f"raises {_error.__name__}"] = lambda error=_error: raising(error)  # type: ignore[misc]
for _error in ERRORS:
    ODD[f"{_error.__name__} for every attribute"] = lambda error=_error: a_class(__getattr__=raising(error))()  # type: ignore[misc]
SPECIAL_METHODS = """
    __eq__ __hash__ __bool__ __len__ __repr__ __str__ __format__ __iter__ __get__ __class__ __set_name__ __dir__
    __reduce_ex__ __await__ __index__ __contains__ __getitem__ __setattr__ __delattr__ __instancecheck__
""".split()  # noqa: SIM905 - twenty names are read more easily so
for _dunder in SPECIAL_METHODS:
    _hostile = property(raising(OddError)) if _dunder == "__class__" else raising(OddEscape)
    ODD[f"hostile {_dunder}"] = lambda name=_dunder, value=_hostile: a_class(**{name: value})()  # type: ignore[misc]
ATTRIBUTES = """
    __name__ __qualname__ __module__ __doc__ __annotations__ __isabstractmethod__ __code__ __func__ __defaults__
    __kwdefaults__ __wrapped__ __signature__ _is_coroutine_marker __mro__ __dict__
""".split()  # noqa: SIM905 - twenty names are read more easily so


def with_attribute(name: str, value: object) -> Any:
    """Return an object that gives `value` for one attribute; one that raises, if it is an exception."""

    def give(self: Any, asked: str) -> Any:
        if asked != name:
            return object.__getattribute__(self, asked)
        if isinstance(value, BaseException):
            raise value
        return value

    return a_class(__getattribute__=give)()


for _attribute in ATTRIBUTES:
    for _value in (7, "not an identifier!", None, OddError("odd"), OddAttributeError("odd"), OddEscape("odd")):
        # Of what becomes no method, only the Python implementation asks for the module. Both take
        # whatever that is, but only there can the question itself fail.
        if _attribute == "__module__" and isinstance(_value, BaseException):
            continue
        ODD[f"{_attribute}: {_value!r}"] = lambda name=_attribute, value=_value: with_attribute(name, value)  # type: ignore[misc]
for _kind in (
    types.FunctionType,
    types.MethodType,
    functools.partial,
    type,
    classmethod,
    staticmethod,
    property,
    str,
    float,
):
    ODD[f"passes for a {_kind.__name__}"] = lambda kind=_kind: a_class(__class__=kind)()  # type: ignore[misc]
    ODD[f"a mock of a {_kind.__name__}"] = lambda kind=_kind: mock.MagicMock(spec=kind, return_value="a value")  # type: ignore[misc]


@odd
def a_function() -> Any:
    return lambda *_: "a value"


@odd
def a_function_without_a_name() -> Any:
    def function(*_: object) -> str:
        return "a value"

    function.__name__ = function.__qualname__ = ""
    return function


@odd
def a_function_that_requires_two() -> Any:
    return lambda one, two: (one, two)


@odd
def a_generator_function() -> Any:
    def generate() -> Any:
        yield

    return generate


@odd
def a_coroutine_function() -> Any:
    async def coroutine(*_: object) -> str:
        return "a value"

    return coroutine


@odd
def a_mock() -> Any:
    return mock.MagicMock(return_value="a value")


@odd
def a_mock_function() -> Any:
    return mock.create_autospec(lambda *_: None, return_value="a value")


@odd
def a_str_of_its_own() -> Any:
    hostile = {"__eq__": raising(OddError), "__hash__": raising(OddError), "__str__": raising(OddError)}
    return type("Text", (str,), hostile)("_x")


@odd
def a_float_of_its_own() -> Any:
    names = ("__ge__", "__lt__", "__gt__", "__sub__", "__rsub__", "__float__", "__bool__")
    return type("Number", (float,), {name: raising(OddError) for name in names})(0.0)


@odd
def a_float_that_cannot_be_subtracted_from() -> Any:
    return type("Number", (float,), {"__sub__": raising(OddError)})(0.0)


@odd
def a_callable_that_is_none_the_next_time() -> Any:
    def call(self: Any) -> str:
        del type(self).__call__
        return "a value"

    return a_class(__call__=call)()


@odd
def a_callable_that_changes_its_class() -> Any:
    def call(self: Any) -> str:
        self.__class__ = a_class()
        return "a value"

    return a_class(__call__=call)()


@odd
def a_recursion() -> Any:
    def call(self: Any) -> Any:
        return self()

    return a_class(__call__=call)()


@odd
def endless_attributes() -> Any:
    cls = a_class()
    cls.__getattr__ = lambda _self, _name: cls()
    return cls()


@odd
def itself_for_every_attribute() -> Any:
    return a_class(__getattr__=lambda self, _name: self)()


@odd
def wraps_itself() -> Any:
    made = a_class()()
    made.__wrapped__ = made
    return made


@odd
def called_by_itself() -> Any:
    cls = a_class()
    cls.__call__ = cls()
    return cls()


@odd
def a_partial_of_itself() -> Any:
    return type("Circle", (functools.partial,), {"func": property(lambda self: self)})(list)


@odd
def a_class_whose_metaclass_refuses_attributes() -> Any:
    return type("Meta", (type,), {"__setattr__": raising(OddError)})("Made", (), {})


@odd
def a_class_whose_metaclass_refuses_to_be_asked() -> Any:
    return type("Meta", (type,), {"__getattribute__": raising(OddError)})("Made", (), {})


@odd
def a_class_whose_metaclass_cannot_be_compared() -> Any:
    return type("Meta", (type,), {"__eq__": raising(OddError), "__hash__": raising(OddError)})("Made", (), {})


@odd
def a_class_whose_metaclass_hides_its_bases() -> Any:
    return type("Meta", (type,), {"__mro__": (), "__dict__": property(raising(OddError))})("Made", (), {})


@odd
def a_class_whose_metaclass_makes_none_of_it() -> Any:
    return type("Meta", (type,), {"__call__": raising(OddError)})("Made", (), {})


@odd
def a_class_that_cannot_be_initialized() -> Any:
    return type("Made", (), {"__init__": raising(OddTypeError)})


@odd
def an_instance_without_a_dict() -> Any:
    return type("Made", (), {"__slots__": ("_x",)})()


@odd
def an_instance_whose_dict_is_read_only() -> Any:
    return type("Made", (), {"__dict__": property(lambda _: types.MappingProxyType({}))})()


@odd
def an_instance_whose_dict_is_no_dict() -> Any:
    return type("Made", (), {"__dict__": property(lambda _: mock.MagicMock())})()


@odd
def an_instance_whose_dict_is_another_each_time() -> Any:
    return type("Made", (), {"__dict__": property(lambda _: {})})()


@odd
def a_dict_that_refuses() -> Any:
    made = type("Made", (), {})()
    made.__dict__ = type("Refusing", (dict,), {"setdefault": raising(OddError), "get": raising(OddError)})()
    return made


@odd
def a_tuple_of_its_own() -> Any:
    return type("Pair", (tuple,), {"__iter__": raising(OddError), "__len__": raising(OddError)})((1, 2))


@around
def a_partial(of: Any) -> Any:
    return functools.partial(of) if callable(of) else of


@around
def a_partial_subclass(of: Any) -> Any:
    return type("Partial", (functools.partial,), {})(of) if callable(of) else of


@around
def a_bound_method(of: Any) -> Any:
    return types.MethodType(of, "me") if callable(of) else of


@around
def a_method_of(of: Any) -> Any:
    return types.MethodType(lambda _self: "a value", of) if of is not None else of


@around
def a_class_method(of: Any) -> Any:
    return classmethod(of)


@around
def a_static_method(of: Any) -> Any:
    return staticmethod(of)


@around
def a_property(of: Any) -> Any:
    return property(of)


@around
def a_wrapt_proxy(of: Any) -> Any:
    return wrapt.ObjectProxy(of)


@around
def a_callable_wrapt_proxy(of: Any) -> Any:
    return wrapt.CallableObjectProxy(of)


@around
def a_function_that_returns(of: Any) -> Any:
    return lambda *_: of


@around
def a_function_that_wraps(of: Any) -> Any:
    def function(*_: object) -> str:
        return "a value"

    function.__wrapped__ = of  # type: ignore[attr-defined]
    return function


@around
def a_function_annotated(of: Any) -> Any:
    def function(*_: object) -> str:
        return "a value"

    function.__annotations__ = {"return": of}
    return function


@around
def called_by(of: Any) -> Any:
    return a_class(__call__=of)()


@around
def an_instance_of_a_class_with_a_method(of: Any) -> Any:
    return a_class(method=of)()


@around
def a_long_chain_of_partials(of: Any) -> Any:
    cls = type("Partial", (functools.partial,), {})
    return functools.reduce(lambda inner, _: cls(inner), range(3000), of) if callable(of) else of


@around
def a_long_chain_of_wrappers(of: Any) -> Any:
    return functools.reduce(lambda inner, _: a_function_that_wraps(inner), range(3000), of)


@around
def a_long_chain_of_callers(of: Any) -> Any:
    return functools.reduce(lambda inner, _: called_by(inner), range(300), of)


Description = str | tuple[str, Any]

DESCRIPTIONS: strategies.SearchStrategy[Description] = strategies.one_of(
    strategies.sampled_from(sorted(ODD)),
    strategies.tuples(strategies.sampled_from(sorted(AROUND)), strategies.sampled_from(sorted(ODD))),
    strategies.tuples(
        strategies.sampled_from(sorted(AROUND)),
        strategies.tuples(strategies.sampled_from(sorted(AROUND)), strategies.sampled_from(sorted(ODD))),
    ),
)


def build(description: Description) -> Any:
    """Return a new object of that description; raise LookupError if Python itself makes none."""
    if isinstance(description, str):
        make = ODD[description]
    else:
        name, inner = description
        make = functools.partial(AROUND[name], build(inner))
    try:
        return make()
    except BaseException as error:
        raise LookupError(f"Python makes no such object: {description}") from error
