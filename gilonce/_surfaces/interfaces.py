"""What a class says about its instances, and the class that a factory names as its result.

Nothing here looks up an attribute on a user's object. Classes are read through the descriptors of `type`. So no
`__getattr__`, no `__getattribute__` and no metaclass of a user's is called.
"""

from __future__ import annotations

import builtins
import re
import sys
from types import FunctionType, GenericAlias, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

mro_of = type.__dict__["__mro__"].__get__
name_of_class = type.__dict__["__name__"].__get__
flags_of = type.__dict__["__flags__"].__get__
entries_in = type.__dict__["__dict__"].__get__
_entries_in_module: Any = vars(ModuleType)["__dict__"]
module_entries = _entries_in_module.__get__

_TYPING = ("typing", "typing_extensions")

_MISSING = object()


def entry_of(cls: type, name: str, default: Any = None) -> Any:
    """Return the entry `name` of the first class in the MRO of `cls` that has one, or `default`."""
    for base in mro_of(cls):
        entries = entries_in(base)
        if name in entries:
            return entries[name]
    return default


def special(it: object, name: str) -> Any:
    """Return the special method `name` of an object, bound to it, as the interpreter finds it, or None."""
    entry = entry_of(type(it), name)
    bind = entry_of(type(entry), "__get__")
    return entry if bind is None else bind(entry, it, type(it))


def required(it: object, name: str) -> Any:
    """Return the special method `name` of an object, bound to it. Raise AttributeError if there is none."""
    method = special(it, name)
    if method is None:
        raise AttributeError(f"{name_of_class(type(it))!r} object has no attribute {name!r}")
    return method


def all_entries_of(cls: type) -> dict[str, Any]:
    """Return all entries of a class and its bases."""
    entries: dict[str, Any] = {}
    for base in reversed(mro_of(cls)):
        entries.update(entries_in(base))
    return entries


def special_names_of(cls: type) -> set[str]:
    """Return the special names that instances of `cls` have. An entry that is None in a class counts as missing."""
    return {name for name, entry in all_entries_of(cls).items() if entry is not None and str(name)[:2] == "__"}


#: The flag of classes whose attributes cannot be assigned.
_IMMUTABLE = 1 << 8


def changeable_names_of(cls: type) -> list[tuple[str, bool]]:
    """Return the special names that could be others later, with whether each is hidden by None, to compare them."""
    if flags_of(cls) & _IMMUTABLE:
        return []  # and so are its bases
    return [
        (name, entry is None)
        for base in mro_of(cls)
        if not flags_of(base) & _IMMUTABLE
        # A copy, because another thread may add an attribute.
        for name, entry in entries_in(base).copy().items()
        if str(name)[:2] == "__"
    ]


def implied_interface(factory: Any) -> type | None:
    """Return the class of the object that `factory` makes, or None if `factory` does not say.

    That is `factory` itself if it is a class, else its return annotation. A string is looked up, not evaluated.
    `dict[str, int]` counts as `dict`. A union, a protocol, and everything from `typing` or `collections.abc` count as
    None.
    """
    functools = sys.modules.get("functools")
    while functools is not None and type(factory) is functools.partial:
        factory = factory.func
    if is_class(factory):
        return factory  # type: ignore[no-any-return]
    try:
        annotation = factory.__annotations__.get("return")
    except Exception:
        # There are no annotations, or reading them evaluates them, and they name something that does not exist.
        return None
    if type(annotation) is str:
        annotation = _look_up(annotation, factory)
    # More than one step, because the origin of `Annotated[dict[str, int], 1]` is `dict[str, int]`.
    while annotation is not None and not is_class(annotation):
        annotation = _origin_of(annotation)
    return annotation if annotation is not None and says_something(annotation) else None


def _origin_of(annotation: object) -> Any:
    """Return the class `dict` for the annotation `dict[str, int]`, and None for what is not a generic alias."""
    alias_type = type(annotation)
    if not issubclass(alias_type, GenericAlias) and entries_in(alias_type).get("__module__") not in _TYPING:
        # It may be a lazy global, or another object that has an answer to every name.
        return None
    try:
        return object.__getattribute__(annotation, "__origin__")
    except AttributeError:
        return None


def is_class(it: object) -> bool:
    """Return whether the type of `it` is a metaclass. `isinstance(it, type)` is also true of `list[int]` in 3.10."""
    return issubclass(type(it), type)


def is_ordinary(cls: type) -> bool:
    """Return whether the instances of `cls` have the special names of the class, and no others.

    Classes, modules and functions often have more, and a class with a `__getattr__` may give its instances any.
    """
    return not (
        {type, ModuleType, FunctionType}.intersection(mro_of(cls))
        or entry_of(cls, "__getattribute__") is not object.__getattribute__
        or entry_of(cls, "__getattr__") is not None
    )


def says_something(cls: type) -> bool:
    """Return whether an annotation that is this class says what the object can do."""
    if cls is object or entry_of(cls, "_is_protocol", False) is True:
        return False
    # `Any`, `Annotated`, `TextIO` and `Union` are classes in some versions. `Iterable` and `Mapping` are as good as
    # protocols: the object has another class, with more methods.
    module = entries_in(cls).get("__module__")
    return module not in (*_TYPING, "collections.abc") and name_of_class(cls) != "Union"


_NAMES = re.compile(r"\w+(\.\w+)*")


def _look_up(text: str, factory: Any) -> Any:
    """Return what an annotation names, or None. It may be a name or dotted names, with arguments in brackets."""
    text = text.strip()
    if text[:1] in ("'", '"') and text[-1] == text[0]:
        # `-> "dict"` under `from __future__ import annotations`.
        text = text[1:-1].strip()
    match = _NAMES.match(text)
    if match is None:
        return None
    arguments = text[match.end() :].strip()
    if not _is_one_bracket(arguments):
        return None
    first, *others = match.group().split(".")
    names = _globals_of(factory)
    found = names.get(first, _MISSING)
    if found is _MISSING:
        found = vars(builtins).get(first)
    for name in others:
        if type(found) is ModuleType:
            found = module_entries(found).get(name)
        elif is_class(found):
            found = entry_of(found, name)
        else:
            return None
    typing = sys.modules.get("typing")
    if typing is not None and found is typing.Annotated:
        return _look_up(_first_of(arguments[1:-1]), factory)
    return found


def _first_of(arguments: str) -> str:
    """Return the text before the first comma that is not in brackets."""
    depth = 0
    for index, character in enumerate(arguments):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            return arguments[:index]
    return arguments


def _is_one_bracket(text: str) -> bool:
    """Return whether `text` is empty or one pair of brackets: `[int] | list[str]` is two."""
    if not text:
        return True
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return index == len(text) - 1
    return False


def _globals_of(factory: Any) -> dict[str, Any]:
    """Return the globals of the module in which a factory's annotations were written."""
    function = getattr(factory, "__func__", factory)
    # A wrapper has the annotations of the function that it wraps, and globals of its own.
    for _ in range(sys.getrecursionlimit()):
        if type(function) is not FunctionType or "__wrapped__" not in function.__dict__:
            break
        function = function.__dict__["__wrapped__"]
    return function.__globals__ if type(function) is FunctionType else {}
