"""pydantic: `once_property` and `@once` in the body of a model, beside functools in the same place."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import pickle
import threading
import weakref
from types import ModuleType
from typing import Any, Generic, TypeVar

import pytest
from support.comparison import Case, Given, Tool, importable, meeting, race_for

PYDANTIC = Tool("pydantic")
T = TypeVar("T")


def make_model(given: Given, **config: Any) -> Any:
    """Return a model with a field, and an attribute that is computed once."""
    from pydantic import BaseModel, ConfigDict

    class Model(BaseModel):
        model_config = ConfigDict(**config)

        size: int = 1

        @given.once_property
        def value(self) -> list[int]:
            """The docstring."""
            return [self.size]

    return Model


@PYDANTIC.case()
def attribute_is_no_field(given: Given) -> None:
    """An attribute in a model is computed once, and is not a field."""
    cls = make_model(given)
    model = cls(size=3)
    assert model.value == [3]
    assert model.value is model.value
    assert list(cls.model_fields) == ["size"]
    assert model.model_dump() == {"size": 3}
    assert cls.model_validate_json(model.model_dump_json()) == model
    assert cls.__private_attributes__ == {}


@PYDANTIC.case()
def assignment_and_deletion(given: Given) -> None:
    """`obj.x = v` sets the value, and `del obj.x` forgets it, whatever the configuration."""
    for config in {}, {"frozen": True}, {"validate_assignment": True}, {"extra": "allow"}, {"extra": "forbid"}:
        model = make_model(given, **config)(size=3)
        model.value = [0]
        assert model.value == [0]
        del model.value
        assert model.value == [3]
        assert model.model_extra in (None, {})


@PYDANTIC.case()
def private_name(given: Given) -> None:
    """An attribute with a private name is not a private attribute of the model."""
    from pydantic import BaseModel

    class Model(BaseModel):
        @given.once_property
        def _value(self) -> list[int]:
            return []

    model = Model()
    assert model._value is model._value
    assert Model.__private_attributes__ == {}


@PYDANTIC.case()
def computed_field(given: Given) -> None:
    """`@computed_field` above it is dumped, shown in the repr unless private, and in the schema with its type."""
    from pydantic import BaseModel, computed_field

    class Model(BaseModel):
        @computed_field  # type: ignore[prop-decorator]
        @given.once_property
        def value(self) -> list[int]:
            """The docstring."""
            return [3]

        @computed_field  # type: ignore[prop-decorator]
        @given.once_property
        def _private(self) -> int:
            return 4

    model = Model()
    assert model.model_dump() == {"value": [3], "_private": 4}
    assert repr(model) == "Model(value=[3])"
    assert model.value is model.value
    schema = Model.model_json_schema(mode="serialization")["properties"]["value"]
    assert (schema["type"], schema["items"], schema["description"]) == ("array", {"type": "integer"}, "The docstring.")


@PYDANTIC.case(functools="there is no such form")
def computed_field_of_class(given: Given) -> None:
    """`@computed_field` above an attribute with one value per class, for all, or per thread."""
    from pydantic import BaseModel, computed_field

    import gilonce

    class Model(BaseModel):
        @computed_field  # type: ignore[prop-decorator]
        @given.once_property
        @classmethod
        def of_class(cls) -> list[int]:
            """The docstring."""
            return [3]

        @computed_field  # type: ignore[prop-decorator]
        @given.once_property
        @staticmethod
        def of_all() -> int:
            return 4

        @computed_field  # type: ignore[prop-decorator]
        @given.once_property(cell=gilonce.ThreadOnceCell)
        def of_thread(self) -> str:
            return "5"

    assert Model().model_dump() == {"of_class": [3], "of_all": 4, "of_thread": "5"}
    schema = Model.model_json_schema(mode="serialization")["properties"]
    assert [schema[name]["type"] for name in ("of_class", "of_all", "of_thread")] == ["array", "integer", "string"]
    assert schema["of_class"]["description"] == "The docstring."


@PYDANTIC.case(
    functools="it has no such option",
    gilonce="pydantic asks no data descriptor but `property` to assign or delete; "
    "use `take()` and `set(v)` of `cell_of(obj, 'x')`",
)
def assignment_per_thread(given: Given) -> None:
    """Assignment to an attribute with `cell=ThreadOnceCell` of a model."""
    from pydantic import BaseModel

    import gilonce

    class Model(BaseModel):
        @given.once_property(cell=gilonce.ThreadOnceCell)
        def value(self) -> int:
            return 1

    model = Model()
    model.value = 2  # type: ignore[method-assign, assignment]
    assert model.value == 2


@PYDANTIC.case()
def copies(given: Given) -> None:
    """Copies, deep copies and pickles carry the value and the fields."""
    cls = make_model(given)
    importable(cls)
    model = cls(size=3)
    value = model.value
    assert model.model_copy().value is value
    assert copy.copy(model).value is value
    for copied in model.model_copy(deep=True), copy.deepcopy(model), pickle.loads(pickle.dumps(model)):
        assert copied == model
        assert copied.value == value
        assert copied.value is not value


@PYDANTIC.case()
def equality(given: Given) -> None:
    """Two models are equal by their fields, whichever of them has computed its value."""
    cls = make_model(given)
    used = cls(size=3)
    assert used.value
    assert used == cls(size=3)
    assert used != cls(size=4)


@PYDANTIC.case()
def generics(given: Given) -> None:
    """A generic model has the attribute in each of its forms."""
    from pydantic import BaseModel

    class Model(BaseModel, Generic[T]):
        item: T

        @given.once_property
        def value(self) -> list[T]:
            return [self.item]

    one: Any = Model[int]
    other: Any = Model[str]
    assert one(item=1).value == [1]
    assert other(item="a").value == ["a"]


@PYDANTIC.case()
def inheritance(given: Given) -> None:
    """A subclass inherits the attribute, or overrides it with a field's default or another attribute."""
    base = make_model(given)

    class Sub(base):  # type: ignore[misc, valid-type]
        @given.once_property
        def value(self) -> list[int]:
            return [*super().value, 0]

    assert type("Same", (base,), {})(size=2).value == [2]
    if given.name == "gilonce":
        assert Sub(size=2).value == [2, 0]  # functools.cached_property keeps both under one name
    assert Sub(size=2).model_dump() == {"size": 2}


@PYDANTIC.case()
def builtin_in_the_body(given: Given) -> None:
    """`lock = once(threading.Lock)` in the body of a model."""
    from pydantic import BaseModel

    class Model(BaseModel):
        lock = given.once(threading.Lock)

    assert Model.lock() is Model.lock()
    assert Model.model_fields == {}


@PYDANTIC.case(functools="a model that can be changed cannot be hashed, and the cache keeps any other alive")
def method_in_a_model(given: Given) -> None:
    """A method that computes one value per model, which is collected with it."""
    from pydantic import BaseModel

    class Model(BaseModel):
        size: int = 1

        @given.once
        def value(self) -> Model:
            return self

    model = Model()
    assert model.value() is model
    assert model == Model()
    assert model.model_dump() == {"size": 1}
    reference = weakref.ref(model)
    del model
    for _ in range(5):
        gc.collect()
    assert reference() is None


@PYDANTIC.case(functools="a classmethod is not callable, so `functools.cached_property` cannot wrap it")
def class_level(given: Given) -> None:
    """An attribute with one value per class, or for all, is not a field, and no class statement computes it."""
    from pydantic import BaseModel

    ran = []

    class Model(BaseModel):
        @given.once_property
        @classmethod
        def of_class(cls) -> object:
            ran.append(cls)
            return object()

        @given.once_property
        @staticmethod
        def of_all() -> object:
            ran.append(None)
            return object()

    class Sub(Model):
        pass

    assert ran == []
    assert Model.of_class is Model().of_class is not Sub.of_class
    assert Model.of_all is Sub().of_all
    assert Model.model_fields == {}


@PYDANTIC.case(functools="the attribute is one coroutine, which can be awaited once")
def async_attribute(given: Given) -> None:
    """An `async def` attribute can be awaited as often as one likes."""
    from pydantic import BaseModel

    class Model(BaseModel):
        @given.once_property
        async def value(self) -> object:
            return object()

    model = Model()

    async def twice() -> bool:
        return await model.value is await model.value

    try:
        assert asyncio.run(twice())
    finally:
        vars(model).clear()
    assert model == Model()


@PYDANTIC.case(
    functools="what is assigned cannot be awaited",
    gilonce="pydantic asks no data descriptor but `property` to assign; use `cell_of(obj, 'x').override(v)`",
)
def assignment_to_async_attribute(given: Given) -> None:
    """Assignment to an `async def` attribute of a model."""
    from pydantic import BaseModel

    class Model(BaseModel):
        @given.once_property
        async def value(self) -> int:
            return 1

    model = Model()
    model.value = 2  # type: ignore[method-assign, assignment]

    async def read() -> int:
        return await model.value

    assert asyncio.run(read()) == 2


@PYDANTIC.case(
    functools="a value is in the instance's `__dict__`, so pydantic takes it for an extra field",
    gilonce="a value is in the instance's `__dict__`, so pydantic takes it for an extra field",
)
def revalidation_forbids_values(given: Given) -> None:
    """A model that has computed a value is a field of another, with `extra="forbid"` and revalidation."""
    from pydantic import BaseModel, create_model

    cls = make_model(given, extra="forbid", revalidate_instances="always")
    model = cls()
    assert model.value
    outer: type[BaseModel] = create_model("Outer", inner=(cls, ...))
    outer(inner=model)


@PYDANTIC.case()
def extra_fields(given: Given) -> None:
    """A value does not appear in the dump of a model with `extra="allow"`, alone or in another model."""
    from pydantic import create_model

    cls = make_model(given, extra="allow")
    model = cls()
    assert model.value
    outer: Any = create_model("Outer", inner=(cls, ...))
    assert model.model_dump() == {"size": 1}
    assert outer(inner=model).model_dump() == {"inner": {"size": 1}}


@PYDANTIC.case(
    functools="a model that can be changed cannot be hashed",
    gilonce="the values are in a table in the instance's `__dict__`, which pydantic takes for an extra field",
)
def revalidation_allows_values(given: Given) -> None:
    """A model whose `@once_per_args` method was called is a field of another, with `extra="allow"` and revalidation."""
    from pydantic import BaseModel, ConfigDict, create_model

    class Model(BaseModel):
        model_config = ConfigDict(extra="allow", revalidate_instances="always")

        @given.once_per_args
        def per_args(self, one: int) -> list[int]:
            return [one]

    model = Model()
    assert model.per_args(1) == [1]
    outer: Any = create_model("Outer", inner=(Model, ...))
    assert outer(inner=model).model_dump_json() == '{"inner":{}}'


@pytest.mark.parametrize("case", PYDANTIC.cases, ids=str)
def test_a_model_does_what_it_does_with_functools(gilonce: ModuleType, case: Case) -> None:
    case.check(gilonce)


@pytest.mark.parametrize("options", [{}, {"frozen": True}])
def test_all_threads_get_one_object_from_a_model(gilonce: ModuleType, options: dict[str, Any]) -> None:
    pydantic = PYDANTIC.require()
    meet = meeting()

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        model_config = pydantic.ConfigDict(**options)

        @gilonce.once_property
        def value(self) -> object:
            meet()
            return object()

        @pydantic.computed_field  # type: ignore[prop-decorator]
        @gilonce.once_property
        def computed(self) -> list[object]:
            meet()
            return []

    model = Model()
    race_for(lambda: model.value)
    race_for(lambda: model.computed)


def test_the_value_of_a_once_method_is_seen_in_the_instance(gilonce: ModuleType) -> None:
    """As the value of a `functools.cached_property` is. There is no other place for it.

    A table beside the instance would be missed by copies, and keep a value that refers to its instance alive. So
    whatever uses the whole `__dict__` has the value, too: `vars(obj)`, an `__eq__` that compares it, json.
    A model that revalidates its instances and forbids extra fields refuses it.
    """
    pydantic = PYDANTIC.require()

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        model_config = pydantic.ConfigDict(extra="forbid", revalidate_instances="always")

        @gilonce.once
        def value(self) -> int:
            return 1

    model = Model()
    assert vars(model) == {}
    assert model.value() == 1
    ((key, value),) = vars(model).items()
    assert value == 1
    assert "Model.value()" in key
    assert json.loads(json.dumps(vars(model))) == {key: 1}
    outer = pydantic.create_model("Outer", inner=(Model, ...))
    with pytest.raises(pydantic.ValidationError, match="Extra inputs are not permitted"):
        outer(inner=model)
    model.value.cell.take()
    outer(inner=model)


def test_a_model_computes_nothing_for_its_class(gilonce: ModuleType) -> None:
    """Making a model, its schema and its subclasses asks no initializer."""
    pydantic = PYDANTIC.require()

    def fail(*_: object) -> Any:
        raise AssertionError("an initializer ran")

    namespace: dict[str, Any] = {
        "__module__": __name__,
        "plain": gilonce.once_property(fail),
        "of_class": gilonce.once_property(classmethod(fail)),
        "of_all": gilonce.once_property(staticmethod(fail)),
        "made": gilonce.once(fail),
        "per_arguments": gilonce.once_per_args(fail),
    }
    model = type("Model", (pydantic.BaseModel,), namespace)
    type("Sub", (model,), {"__module__": __name__})
    assert model.model_json_schema()["properties"] == {}
    assert model().model_dump() == {}
