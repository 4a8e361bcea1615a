"""How the arguments of a call become its key: the same arguments are one key, however the call spells them.

`inspect.Signature.bind` would be slow at every call. Instead, a function with the same signature is generated, as
`dataclasses` generates `__init__`, and the interpreter binds the arguments when it calls that function. For
`def get(region, *, profile="default")`, this function makes the key:

    def get(region, *, profile=default_1):
        return region, profile

`generate_call` generates a function in the same way that also looks for the value.
"""

from __future__ import annotations

from types import FunctionType

from .._cells.callables import has_opaque_code, name_of
from .._cells.racing import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The kinds of parameters, numbered as `inspect` numbers them.
POSITIONAL_ONLY, POSITIONAL, REST, KEYWORD_ONLY, KEYWORDS = range(5)


class Parameter:
    __slots__ = ("default", "kind", "name")

    def __init__(self, name: str, kind: int, default: Any = EMPTY) -> None:
        self.name = name
        self.kind = kind
        self.default = default

    @property
    def shown(self) -> str:
        """The name of the parameter in messages, with its stars."""
        return {REST: "*", KEYWORDS: "**"}.get(self.kind, "") + self.name


def is_called_as_shown(function: Any) -> bool:
    """Return whether `function` is a plain function whose signature is that of its own code.

    The signature of a decorated function is that of the function behind `__wrapped__`. A call with the same arguments
    in another spelling may not fit the decorated function.
    """
    return type(function) is FunctionType and not (
        hasattr(function, "__wrapped__") or hasattr(function, "__signature__")
    )


def parameters_of(function: Any) -> list[Parameter]:
    """Return the parameters of `function`. Like `inspect`, this follows `__wrapped__`."""
    if is_called_as_shown(function):
        return _of_code(function)
    from inspect import Parameter as Inspected
    from inspect import signature

    if has_opaque_code(function):
        return [Parameter("args", REST), Parameter("kwargs", KEYWORDS)]
    try:
        found = signature(function).parameters.values()
    except (AttributeError, TypeError, ValueError):
        # The signature of a callable that is written in C may be unknown. An AttributeError comes of an object that
        # says that it is a function, and is not.
        return [Parameter("args", REST), Parameter("kwargs", KEYWORDS)]
    return [
        Parameter(_written(one.name, index), int(one.kind), EMPTY if one.default is Inspected.empty else one.default)
        for index, one in enumerate(found)
    ]


def _written(name: str, index: int) -> str:
    """Return a name that can stand in a signature. A callable that is written in C may use any text as a name."""
    from keyword import iskeyword

    return name if name.isidentifier() and not iskeyword(name) else f"argument_{index}"


def _of_code(function: FunctionType) -> list[Parameter]:
    # Without `inspect`, whose import takes longer than all of gilonce.
    code = function.__code__
    names = list(code.co_varnames)
    positional = names[: code.co_argcount]
    defaults: tuple[Any, ...] = function.__defaults__ or ()
    padded = [EMPTY] * (len(positional) - len(defaults)) + list(defaults)
    found = [
        Parameter(name, POSITIONAL_ONLY if index < code.co_posonlyargcount else POSITIONAL, default)
        for index, (name, default) in enumerate(zip(positional, padded, strict=True))
    ]
    keyword_only = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    rest = names[code.co_argcount + code.co_kwonlyargcount :]
    if code.co_flags & 0x04:
        found.append(Parameter(rest.pop(0), REST))
    keyword_defaults = function.__kwdefaults__ or {}
    found.extend([Parameter(name, KEYWORD_ONLY, keyword_defaults.get(name, EMPTY)) for name in keyword_only])
    if code.co_flags & 0x08:
        found.append(Parameter(rest.pop(0), KEYWORDS))
    return found


class Binding:
    """The signature of a function, and the keys of its calls.

    Parameters:
        function: the function that is called.
        owned: whether the first positional argument is the owner, an instance or class, and not a part of the key.
        typed: whether the types of the arguments are part of the key.
    """

    def __init__(self, function: Any, owned: bool, typed: bool) -> None:
        self.function = function
        self.parameters = parameters_of(function)
        self.typed = typed
        self.owned = owned
        taken = {parameter.name for parameter in self.parameters}
        #: The prefix of the names that generated code uses. No name of a parameter begins with it.
        self._prefix = "_"
        while any([name.startswith(self._prefix) for name in taken]):  # noqa: C419 - no generator to drop
            self._prefix += "_"
        self.namespace: dict[str, Any] = {
            f"{self._prefix}sorted": sorted_items,
            f"{self._prefix}type": type,
            f"{self._prefix}map": map,
        }
        keyed = self.parameters
        #: Whether the owner is the first of `*args`, because there is no other positional parameter.
        self._owner_in_rest = False
        if owned and keyed and keyed[0].kind in (POSITIONAL_ONLY, POSITIONAL):
            keyed = keyed[1:]
        elif owned and keyed and keyed[0].kind == REST:
            self._owner_in_rest = True
        #: The parameters whose arguments are the parts of the key, in the order of the parts.
        self.keyed = keyed

    @property
    def is_plain(self) -> bool:
        """Whether a call passes every argument to a parameter of its own."""
        return all([parameter.kind not in (REST, KEYWORDS) for parameter in self.parameters])  # noqa: C419

    @property
    def positional(self) -> int:
        """How many parameters take positional arguments."""
        return len([one for one in self.parameters if one.kind in (POSITIONAL_ONLY, POSITIONAL)])

    @property
    def positional_only(self) -> int:
        """How many parameters take positional arguments only."""
        return len([one for one in self.parameters if one.kind == POSITIONAL_ONLY])

    @property
    def is_respelled_safely(self) -> bool:
        """Whether a call fits the function also if it passes the arguments as `generate_call` writes them."""
        if self.owned and len(self.keyed) == len(self.parameters):
            return False  # the owner has no parameter of its own
        if is_called_as_shown(self.function):
            return True
        # There is no other way to pass these.
        kinds = {one.kind if one.default is EMPTY else POSITIONAL for one in self.parameters}
        return kinds <= {POSITIONAL_ONLY, REST, KEYWORDS}

    def generate_key(self) -> Callable[..., Any]:
        """Return a function with this signature that returns the key of its arguments."""
        made: Callable[..., Any] = self._define(self.parameters, [f"return {self._key()}"])
        return made

    def generate_call(self, find_front: str = "", make_key: str = "", *, is_async: bool = False, **names: Any) -> Any:
        """Return a function that finds the value of a call in the `front` of a table, or else calls `ask`.

        The code below has a name in braces for each name that must not be one of the function's own.

        Parameters:
            find_front: an expression for the `front`, in which `{owner}` is the owner. This generates the `__call__` of
                bound methods. Without it, `front` is among the names.
            make_key: an expression for the key, in which `{args}` and `{kwargs}` are the arguments as given. Without
                it, the function has this signature, and its parameters make the key.
            is_async: whether to return a coroutine that `give` makes. It gets the dict that holds the value, and the
                arguments of `ask`.
            names: the objects that the code uses. `ask` gets the key, and then the arguments for the wrapped function.
        """
        # The key is missing, or cannot be hashed. Any other exception is from the key's own `__eq__` or `__hash__`.
        names.update(errors=(KeyError, TypeError), is_raised=_is_raised_by_user)
        # This owner has no table. `ask` runs into anything else that may be wrong, and reports it.
        names.update(missing=(AttributeError, KeyError, TypeError), nothing={})
        local = ("args", "bound", "error", "found", "front", "key", "kwargs", "owner", "values")
        code = {name: f"{self._prefix}{name}" for name in (*names, *local)}
        self.namespace.update({code[name]: it for name, it in names.items()})
        parameters, arguments, body = self.parameters, self._arguments(), []
        code["of_call"] = self._key()
        if make_key:
            parameters = [Parameter(code["args"], REST), Parameter(code["kwargs"], KEYWORDS)]
            arguments = ["{owner}"] * bool(find_front) + ["*{args}", "**{kwargs}"]
            code["of_call"] = code["key"]
        elif find_front:
            code["owner"] = parameters[0].name
            parameters = parameters[1:]
        if find_front:
            parameters = [Parameter(code["bound"], POSITIONAL_ONLY), *parameters]
            body += ["{owner} = {bound}.__self__", "try:", "    {front} = " + find_front, "except {missing}:"]
            body += ["    {front} = {nothing}"]
        if make_key:
            body += ["{key} = " + make_key]
        call = ", ".join(["{of_call}", *arguments])
        body += ["try:"]
        if is_async:
            body += ["    {values} = {front}[{of_call}]", "    {values}['value']"]
        else:
            body += ["    return {front}[{of_call}]['value'][0]"]
        body += [
            "except {errors} as {error}:",
            "    if {error}.__traceback__.tb_next is not None and {is_raised}({error}, {of_call}):",
            "        raise",
        ]
        if is_async:
            body += ["else:", f"    return {{give}}({{values}}, {call})"]
        body += [f"return {{ask}}({call})"]
        return self._define(parameters, [line.format(**code) for line in body])

    def names_of(self, key: Any) -> list[tuple[str, Any]]:
        """Return pairs of a parameter's name and the part of the key that is its argument."""
        parts = [key] if len(self.keyed) == 1 and not self._is_nested() else list(key)
        return [(parameter.shown, part) for parameter, part in zip(self.keyed, parts, strict=False)]

    def _is_nested(self) -> bool:
        # A key with one part is that part itself, except for `*args` and `**kwargs`.
        return self.typed or self.keyed[0].kind in (REST, KEYWORDS)

    def _signature(self, parameters: list[Parameter]) -> str:
        parts = []
        kinds = [parameter.kind for parameter in parameters]
        for index, parameter in enumerate(parameters):
            name = parameter.name
            if parameter.kind == KEYWORD_ONLY and KEYWORD_ONLY not in kinds[:index] and REST not in kinds:
                parts.append("*")
            if parameter.default is not EMPTY:
                default = f"{self._prefix}default_{index}"
                self.namespace[default] = parameter.default
                name = f"{name}={default}"
            parts.append({REST: "*", KEYWORDS: "**"}.get(parameter.kind, "") + name)
            if parameter.kind == POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [POSITIONAL_ONLY]:
                parts.append("/")
        return ", ".join(parts)

    def _key(self) -> str:
        parts = []
        types = []
        for parameter in self.keyed:
            name = parameter.name
            if parameter.kind == KEYWORDS:
                parts.append(f"{self._prefix}sorted({name}) if {name} else ()")
                types.append(f"*[{self._prefix}type(one[1]) for one in {self._prefix}sorted({name})]")
            elif parameter.kind == REST:
                rest = f"{name}[1:]" if self._owner_in_rest else name
                parts.append(rest)
                types.append(f"*{self._prefix}map({self._prefix}type, {rest})")
            else:
                parts.append(name)
                types.append(f"{self._prefix}type({name})")
        if len(parts) == 1 and not self._is_nested():
            return parts[0]
        whole = [*parts, *(types if self.typed else [])]
        return f"({''.join([f'{part}, ' for part in whole])})"

    def _arguments(self) -> list[str]:
        """Return the code that passes the arguments on to the function."""
        written = {REST: "*{0}", KEYWORD_ONLY: "{0}={0}", KEYWORDS: "**{0}"}
        return [written.get(one.kind, "{0}").format(one.name) for one in self.parameters]

    def _define(self, parameters: list[Parameter], body: list[str]) -> Any:
        lines = "".join([f"\n    {line}" for line in body])
        name = f"{self._prefix}function"
        defined: dict[str, Any] = {}
        # Not defined in the namespace, because another thread may generate the same function.
        exec(f"def {name}({self._signature(parameters)}):{lines}", self.namespace, defined)
        made = defined[name]
        # The interpreter's messages about wrong arguments begin with the qualified name.
        made.__qualname__ = name_of(self.function)
        return made


def is_hashable(it: object) -> bool:
    """Return whether `it` can be hashed."""
    try:
        hash(it)
    except TypeError:
        return False
    return True


def _is_raised_by_user(error: BaseException, key: object) -> bool:
    """Return whether user code that looking up `key` has run raised `error` for its caller.

    A TypeError because `key` cannot be hashed is not for the caller, who gets a better message.
    """
    return not isinstance(error, TypeError) or is_hashable(key)


def sorted_items(keywords: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return keyword arguments in an order that does not depend on the call: by name, and no two names are equal."""
    return tuple(sorted(keywords.items(), key=_first))


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]
