"""Other people's software does with a lazy global what it does with the object.

Each case runs with the object, with a proxy that was touched, and with an untouched one whose interface is known. The
packages are installed by `pip install 'gilonce[ecosystem]'`. The cases of a package that is missing are skipped.
"""

from __future__ import annotations

import collections
import collections.abc
import copy
import dataclasses
import datetime
import decimal
import doctest
import functools
import importlib
import inspect
import io
import os
import pydoc
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from support import WATCHDOG, environment, has_proxies_in_python, plugin, proxy_table
from support.comparison import Tool, where_gilonce_is


class Case(NamedTuple):
    """What a package does with an object.

    Parameters:
        package: the package, to be imported.
        make: makes the object.
        use: is called with the object, or a proxy for it.
        limit: a regular expression for the error with a proxy, if the package insists on the type itself.
        python_limit: the same where proxies are in Python.
    """

    package: str
    make: Callable[[], Any]
    use: Callable[[Any], Any]
    limit: str = ""
    python_limit: str = ""

    @property
    def id(self) -> str:
        return f"{self.package}-{self.use.__name__}"


CASES: list[Case] = []

#: Proxies in Python have an `__index__`, which a class statement cannot take away.
NUMBER = "object cannot be interpreted as an integer"


def case(
    package: str, make: Callable[[], Any], limit: str = "", python_limit: str = ""
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Add a case for the decorated function."""

    def add(use: Callable[[Any], Any]) -> Callable[[Any], Any]:
        CASES.append(Case(package, make, use, limit, python_limit))
        return use

    return add


# Paths


def a_folder() -> Path:
    return Path(__file__).parent


for _use in os.path.exists, os.path.isdir, os.listdir:
    case("os", a_folder, python_limit=NUMBER)(_use)


@case("os", a_folder, python_limit=NUMBER)
def stat(path: Any) -> int:
    return os.stat(path).st_ino


@case("shutil", a_folder, python_limit=NUMBER)
def disk_usage(path: Any) -> int:
    return shutil.disk_usage(path).total


@case("os", lambda: Path(tempfile.gettempdir()), python_limit=NUMBER)
def makedirs(path: Any) -> None:
    os.makedirs(path, exist_ok=True)


@case("os", lambda: Path("a/b"))
def join(path: Any) -> str:
    return os.path.join(path, "c")


# Text, files and numbers


@case("re", lambda: "x")
def substitute_text(replacement: Any) -> str:
    return re.sub("a", replacement, "bab")


@case("re", lambda: lambda match: match[0] * 2)
def substitute_by_a_function(replacement: Any) -> str:
    return re.sub("a", replacement, "bab")


@case("zipfile", io.BytesIO)
def write_archive(file: Any) -> list[str]:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("name", "text")
    return zipfile.ZipFile(file).namelist()


@case("pytest", lambda: 0.3)
def approx_number(number: Any) -> list[bool]:
    return [pytest.approx(number) == 0.1 + 0.2, number == pytest.approx(0.1 + 0.2), pytest.approx(number) == 0.4]


@case("pytest", lambda: {"a": 0.3})
def approx_dict(numbers: Any) -> list[bool]:
    return [numbers == pytest.approx({"a": 0.1 + 0.2}), pytest.approx(numbers) == {"a": 0.4}]


@case("json", lambda: {"a": 1}, limit="Object of type dict is not JSON serializable")
def json_text(value: Any) -> str:
    return importlib.import_module("json").dumps(value)


@case("decimal", lambda: "3", limit="conversion from .* to Decimal is not supported")
def a_decimal(text: Any) -> decimal.Decimal:
    return decimal.Decimal(text)


# Code that looks at the type of an object


@dataclasses.dataclass
class Point:
    x: int = 1
    inner: Any = None


Pair = collections.namedtuple("Pair", "first second")


@case("dataclasses", lambda: Point(1, Point(2)))
def use_dataclass(point: Any) -> list[Any]:
    functions = [dataclasses.fields, dataclasses.asdict, dataclasses.astuple, dataclasses.is_dataclass]
    replaced = [dataclasses.replace(point, x=3)]
    if sys.version_info >= (3, 13):
        replaced.append(copy.replace(point, x=3))
    return [*(function(point) for function in functions), *replaced]


@case("collections", lambda: Pair(1, 2))
def use_named_tuple(pair: Any) -> list[Any]:
    first, second = pair
    return [Pair._asdict(pair), pair._replace(first=3), first, second]


@functools.singledispatch
def kind_of(value: object) -> str:
    return "object"


kind_of.register(int)(lambda value: "int")
kind_of.register(collections.abc.Sequence)(lambda value: "sequence")
kind_of.register(collections.abc.Mapping)(lambda value: "mapping")
kind_of.register(Point)(lambda value: "point")

for _name, _make in {"int": lambda: 1, "list": lambda: [1], "dict": dict, "point": Point, "object": object}.items():

    @case("functools", _make)
    def dispatch(value: Any) -> str:
        return kind_of(value)

    dispatch.__name__ += f"_{_name}"


def match(value: Any) -> Any:
    match value:
        case Point(x, inner):
            return "point", x, inner
        case Pair(first, second):
            return "pair", first, second
        case {"a": a}:
            return "mapping", a
        case [a]:
            return "sequence", a
        case str():
            return "text"
    return None


for _name, _make in {
    "point": Point,
    "pair": lambda: Pair(1, 2),
    "mapping": lambda: {"a": 1},
    "sequence": lambda: [1],
    "text": lambda: "text",
}.items():

    @case("builtins", _make)
    def match_pattern(value: Any) -> Any:
        return match(value)

    match_pattern.__name__ += f"_{_name}"


def make_attrs() -> Any:
    attrs = importlib.import_module("attrs")
    return attrs.make_class("Attrs", {"x": attrs.field(default=1)}, slots=False)()


@case("attrs", make_attrs)
def use_attrs(instance: Any) -> list[Any]:
    attrs = importlib.import_module("attrs")
    return [attrs.asdict(instance), attrs.astuple(instance), attrs.evolve(instance, x=2).x, attrs.validate(instance)]


@case("msgspec", Point)
def encode_dataclass(point: Any) -> bytes:
    return bytes(importlib.import_module("msgspec").json.encode(point))


@case("msgspec", lambda: {"a": 1}, limit="Encoding objects of type .* is unsupported")
def encode_dict(value: Any) -> bytes:
    return bytes(importlib.import_module("msgspec").json.encode(value))


@case("msgspec", lambda: importlib.import_module("msgspec").defstruct("Struct", [])(), limit="`struct` must be")
def struct_as_dict(struct: Any) -> Any:
    return importlib.import_module("msgspec").structs.asdict(struct)


# Databases


def _connect() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE made (value)")
    return database


PARAMETERS: dict[str, Callable[[], Any]] = {
    "int": lambda: 1,
    "float": lambda: 2.5,
    "text": lambda: "text",
    "bytes": lambda: b"bytes",
    "true": lambda: True,
}

for _name, _make in PARAMETERS.items():

    @case("sqlite3", _make)
    def sqlite_parameter(value: Any) -> Any:
        with _connect() as database:
            found = database.execute("SELECT ?", (value,)).fetchone()
        database.close()
        return found

    @case("psycopg2", _make)
    def psycopg2_parameter(value: Any) -> Any:
        adapter = importlib.import_module("psycopg2.extensions").adapt(value)
        if hasattr(adapter, "encoding"):
            adapter.encoding = "utf-8"
        return adapter.getquoted()

    @case("psycopg", _make, limit="cannot adapt type")
    def psycopg_parameter(value: Any) -> Any:
        return importlib.import_module("psycopg.adapt").Transformer().as_literal(value)

    sqlite_parameter.__name__ += f"_{_name}"
    psycopg2_parameter.__name__ += f"_{_name}"
    psycopg_parameter.__name__ += f"_{_name}"


for _name, _make in {
    "date": lambda: datetime.date(2020, 1, 2),
    "decimal": lambda: decimal.Decimal("1.5"),
    "list": lambda: [1, 2],
    "none": lambda: None,
}.items():

    @case("psycopg2", _make)
    def psycopg2_adapter(value: Any) -> Any:
        return importlib.import_module("psycopg2.extensions").adapt(value).getquoted()

    psycopg2_adapter.__name__ += f"_{_name}"


# pandas and numpy


def frame() -> Any:
    return importlib.import_module("pandas").DataFrame({"a": [1, 2], "b": [3, 4]})


@case("pandas", lambda: ["b"])
def select_columns(columns: Any) -> Any:
    return frame()[columns].to_dict()


@case("pandas", lambda: importlib.import_module("pandas").Series([True, False]))
def select_rows(mask: Any) -> Any:
    return frame()[mask].to_dict()


@case("pandas", lambda: {1: "x", 2: "y"})
def map_by_dict(names: Any) -> Any:
    return frame()["a"].map(names).tolist()


@case("pandas", lambda: lambda value: value + 1)
def map_by_function(function: Any) -> Any:
    return frame()["a"].map(function).tolist()


@case("pandas", lambda: io.StringIO("a,b\n1,2"))
def read_csv_file(file: Any) -> Any:
    return importlib.import_module("pandas").read_csv(file).to_dict()


@case("pandas", lambda: {"a": [1]})
def make_frame(columns: Any) -> Any:
    return importlib.import_module("pandas").DataFrame(columns).to_dict()


@case("pandas", lambda: {"a": "z"}, python_limit="must be called with a collection")
def rename_columns(names: Any) -> Any:
    return frame().rename(columns=names).to_dict()


@case("pandas", lambda: 2)
def add_to_series(number: Any) -> Any:
    return (frame()["a"] + number).tolist(), (number * frame()["a"]).tolist()


@case("numpy", lambda: importlib.import_module("numpy").array([1, 2]))
def use_array(array: Any) -> Any:
    numpy = importlib.import_module("numpy")
    return [numpy.asarray(array).tolist(), int(numpy.sum(array)), (array + array).tolist(), (array @ array).tolist()]


@case("numpy", lambda: [1, 2])
def make_array(numbers: Any) -> Any:
    return importlib.import_module("numpy").asarray(numbers).tolist()


@case("numpy", lambda: [1, 2], python_limit="unsupported operand")
def add_to_array(numbers: Any) -> Any:
    return (importlib.import_module("numpy").ones(2) + numbers).tolist()


@case("numpy", lambda: [1, 2], python_limit="expected a sequence of integers")
def array_of_shape(shape: Any) -> Any:
    return importlib.import_module("numpy").zeros(shape).tolist()


@case("numpy", lambda: "int8", limit="Cannot interpret")
def array_of_type(name: Any) -> Any:
    return importlib.import_module("numpy").zeros(1, dtype=name).tolist()


# Templates


for _template, _name, _make in [
    ("{{ P.a }}{{ P['a'] }}{% for key in P %}{{ key }}{% endfor %}{{ P is mapping }}", "dict", lambda: {"a": 1}),
    ("{{ P|join(',') }}{{ P|length }}{{ P|first }}{{ P is sequence }}", "list", lambda: ["a", "b"]),
    ("{{ P|upper }}{{ P ~ 1 }}{{ P|e }}{{ P is string }}", "text", lambda: "<text>"),
    ("{{ P + 1 }}{{ P == 5 }}{{ P is number }}{{ P is odd }}{{ P in [5] }}", "int", lambda: 5),
    ("{{ P(3) }}{{ P is callable }}", "function", lambda: lambda number: number + 1),
]:

    @case("jinja2", _make)
    def jinja_template(value: Any, template: str = "{{ P is callable }}{{ P is iterable }}" + _template) -> Any:
        return importlib.import_module("jinja2").Environment().from_string(template).render(P=value)

    jinja_template.__name__ += f"_{_name}"


@functools.cache
def django() -> ModuleType:
    """Set Django up: it can be done once in a process."""
    settings = importlib.import_module("django.conf").settings
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.contenttypes"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    package = importlib.import_module("django")
    package.setup()
    importlib.import_module("django.core.management").call_command("migrate", verbosity=0)
    return package


for _template, _name, _make in [
    ("{{ P.name }}{% for key in P %}{{ key }}{% endfor %}", "dict", lambda: {"name": "found"}),
    ("{% if P == 5 %}equal{% endif %}{% if P < 6 %}less{% endif %}{{ P }}{{ P|add:2 }}", "int", lambda: 5),
    ("{{ P }}{{ P|upper }}", "text", lambda: "<text>"),
    ("{{ P.0 }}{{ P|length }}{% for item in P %}{{ item }}{% endfor %}", "list", lambda: [7]),
    ("{{ P|date:'Y' }}", "date", lambda: datetime.date(2020, 1, 2)),
    ("{{ P }}", "function", lambda: lambda: "called"),
]:

    @case("django", _make)
    def django_template(value: Any, template: str = _template) -> Any:
        django()
        engine = importlib.import_module("django.template")
        return str(engine.Template(template).render(engine.Context({"P": value})))

    django_template.__name__ += f"_{_name}"


def content_types() -> Any:
    django()
    return importlib.import_module("django.contrib.contenttypes.models").ContentType.objects


@case("django", lambda: "contenttype")
def filter_by_text(text: Any) -> Any:
    return [*content_types().filter(model=text)], [*content_types().filter(model__contains=text)]


@case("django", lambda: 1)
def filter_by_key(key: Any) -> Any:
    return [*content_types().filter(pk=key)], [*content_types().filter(pk__gte=key)]


@case("django", lambda: ["contenttype"])
def filter_by_list(texts: Any) -> Any:
    return [*content_types().filter(model__in=texts)]


@case("django", lambda: content_types().filter(pk=1))
def use_query_set(found: Any) -> Any:
    return [*found], len(found), found.count(), [*content_types().filter(pk__in=found)]


@case("django", lambda: ["localhost"])
def override_setting(hosts: Any) -> Any:
    django()
    with importlib.import_module("django.test").override_settings(ALLOWED_HOSTS=hosts):
        return [*importlib.import_module("django.conf").settings.ALLOWED_HOSTS]


@case("django", lambda: "text")
def respond(text: Any) -> Any:
    django()
    return importlib.import_module("django.http").HttpResponse(text).content


# The tests

NO_LAZY_GLOBAL = "it has no lazy globals"
FASTAPI = Tool("fastapi")
PYDOC = Tool("pydoc")

#: One row of the table for each package that is not Python's own.
TOOLS = [
    Tool(name, {"psycopg2": "psycopg2-binary"}.get(name, ""))
    for name in {case.package: None for case in CASES}
    if name not in sys.stdlib_module_names
]
for _tool in TOOLS:
    _uses = [one for one in CASES if one.package == _tool.package]
    _tried, _refused = (
        ", ".join(one.use.__name__.removeprefix(f"{one.package}_").replace("_", " ") for one in found)
        for found in (_uses, [one for one in _uses if one.limit])
    )
    _tool.row(
        f"A `lazy_global` as the object: {_tried}",
        NO_LAZY_GLOBAL,
        f"ok, but `P.__wrapped__` where it insists on the type itself: {_refused}" if _refused else "",
    )


def import_package(name: str) -> None:
    """Skip the test where a package is missing."""
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'gilonce[ecosystem]'")


def outcome(use: Callable[[Any], Any], value: Any) -> tuple[str, str]:
    """Return what a use comes to: a type and a text."""
    try:
        result = use(value)
    except Exception as error:
        return type(error).__name__, proxy_table.plain(str(error))
    return type(result).__name__, proxy_table.plain(repr(result))


def make_proxy(gilonce: ModuleType, make: Callable[[], Any], state: str) -> Any:
    """Return a proxy that was touched, or an untouched one with an interface."""
    if state == "with interface=":
        return gilonce.lazy_global(lambda: make(), interface=type(make()), reify=False)
    proxy = gilonce.lazy_global(lambda: make(), reify=False)
    proxy.__wrapped__
    return proxy


@pytest.mark.parametrize("state", ["touched", "with interface="])
@pytest.mark.parametrize("one", CASES, ids=[one.id for one in CASES])
def test_software_does_with_a_proxy_what_it_does_with_the_object(gilonce: ModuleType, one: Case, state: str) -> None:
    """The same result. Software that insists on the type itself raises an error; there, `P.__wrapped__` works."""
    import_package(one.package)
    if sys.implementation.name == "pypy" and (one.limit or one.python_limit or one.package == "re"):
        pytest.skip("modules of PyPy insist on other types")
    expected = outcome(one.use, one.make())
    proxy = make_proxy(gilonce, one.make, state)
    limit = one.limit or (one.python_limit if has_proxies_in_python(gilonce) else "")
    if limit:
        with pytest.raises(Exception, match=limit):
            one.use(proxy)
        assert outcome(one.use, proxy.__wrapped__) == expected
    else:
        assert outcome(one.use, proxy) == expected


PREDICATES = [getattr(inspect, name) for name in dir(inspect) if re.match("is[a-z]", name) and name != "iskeyword"]


@pytest.mark.parametrize("state", ["touched", "with interface="])
@pytest.mark.parametrize("predicate", PREDICATES, ids=lambda predicate: predicate.__name__)
def test_inspect_takes_a_proxy_for_what_its_object_is(
    gilonce: ModuleType, predicate: Callable[[Any], bool], state: str
) -> None:
    """Every `inspect.is...`, for every kind of object."""
    with proxy_table.closing_coroutines():
        found = {kind: outcome(predicate, make_proxy(gilonce, make, state)) for kind, make in proxy_table.KINDS.items()}
        expected = {kind: outcome(predicate, make()) for kind, make in proxy_table.KINDS.items()}
    assert found == expected


LAZY_MODULE = """
import gilonce
from gilonce import lazy_global

def load():
    raise AssertionError("a tool has touched a lazy global")

class Config:
    \"\"\"The configuration.\"\"\"

CONFIG = lazy_global(load, interface=Config)
"""


@pytest.mark.parametrize(
    "look",
    [
        lambda module: unittest.TestLoader().loadTestsFromModule(module).countTestCases(),
        lambda module: pydoc.render_doc(module),
        lambda module: [name for name, _ in inspect.getmembers(module, inspect.isclass)],
        lambda module: [name for name, _ in inspect.getmembers(module, inspect.isroutine)],
        lambda module: {name: inspect.getdoc(value) for name, value in inspect.getmembers(module)},
    ],
    ids=["unittest", "pydoc", "classes", "routines", "documentation"],
)
@pytest.mark.parametrize("cell", ["GILOnceCell", "ThreadOnceCell"])
def test_tools_that_look_at_a_module_touch_no_lazy_global_with_an_interface(
    gilonce: ModuleType, look: Callable[[ModuleType], Any], cell: str
) -> None:
    """`isinstance(P, type)`, `P.__doc__` and `P.__module__` are answered from the interface."""
    module = ModuleType("lazy_module")
    exec(LAZY_MODULE.replace("Config)", f"Config, cell=gilonce.{cell})"), vars(module))
    assert look(module) is not None
    assert "not yet called" in repr(module.CONFIG)


@pytest.mark.parametrize(
    "look",
    [
        lambda module: unittest.TestLoader().loadTestsFromModule(module).countTestCases(),
        lambda module: pydoc.render_doc(module),
        lambda module: pydoc.HTMLDoc().document(module),
        lambda module: doctest.DocTestFinder().find(module),
    ],
    ids=["unittest", "pydoc", "pydoc-html", "doctest"],
)
@pytest.mark.parametrize("cell", ["GILOnceCell", "ThreadOnceCell"])
@pytest.mark.parametrize("made", ["load", "annotated", "load, interface=type", "load, interface=Config"])
def test_tools_that_look_at_whole_modules_touch_no_lazy_global(
    gilonce: ModuleType, look: Callable[[ModuleType], Any], cell: str, made: str
) -> None:
    """Whatever is known of the object, they take the proxy for a plain object. The program itself touches it."""
    module = ModuleType("lazy_module")
    source = f"""
def annotated() -> Config:
    load()

P = lazy_global({made}, cell=gilonce.{cell})

class Owner:
    in_class = P
"""
    exec(LAZY_MODULE + source, vars(module))
    assert look(module) is not None
    for name in "CONFIG", "P":
        proxy = vars(module)[name]
        assert "not yet called" in repr(proxy)
        with pytest.raises(AssertionError, match="a tool has touched"):
            proxy.attribute


@pytest.mark.parametrize("cell", ["GILOnceCell", "ThreadOnceCell"])
def test_what_a_tool_runs_touches(gilonce: ModuleType, cell: str) -> None:
    """An example in a docstring uses the object, and `help(P)` is about the object."""
    module = ModuleType("lazy_module")
    source = f"""
class Config:
    '''The configuration.

    >>> isinstance(CONFIG, Config)
    True
    '''

CONFIG = gilonce.lazy_global(lambda: Config(), cell=gilonce.{cell})
SHOWN = gilonce.lazy_global(lambda: Config(), cell=gilonce.{cell})
"""
    vars(module)["gilonce"] = gilonce
    exec(source, vars(module))
    assert doctest.testmod(module) == (0, 1)
    assert "not yet called" not in repr(module.CONFIG)
    assert "Config" in pydoc.render_doc(module.SHOWN)
    assert "not yet called" not in repr(module.SHOWN)
    # With a value, it is that for a tool, too.
    assert "not yet called" not in pydoc.render_doc(module)


@PYDOC.row(
    "`help()` of a module with a `lazy_global` that is declared as a dict",
    NO_LAZY_GLOBAL,
    "pydoc computes it, to shorten what it takes for a long dict",
)
def test_pydoc_computes_what_is_declared_as_a_dict(gilonce: ModuleType) -> None:
    """It goes by the name of the type."""
    module = ModuleType("lazy_module")
    vars(module)["P"] = gilonce.lazy_global(lambda: {"a key": 1}, interface=dict)
    assert "{'a key': 1}" in pydoc.render_doc(module)


def test_a_tool_sees_a_value_that_is_there(gilonce: ModuleType) -> None:
    """Also where the proxy has not been touched since its cell was set."""
    module: Any = ModuleType("lazy_module")
    module.gilonce = gilonce
    exec("CONFIG = gilonce.lazy_global(dict)", vars(module))
    gilonce.cell_of(module, "CONFIG").set(["the value"])
    assert "the value" in pydoc.render_doc(module)
    assert doctest.DocTestFinder().find(module) is not None


@pytest.mark.parametrize("tool", ["doctest", "pydoc", "unittest"])
def test_a_tool_that_is_run_as_a_program_computes_nothing(gilonce: ModuleType, tmp_path: Path, tool: str) -> None:
    """`python -m doctest` runs the module doctest under the name `__main__`."""
    source = f"""
import gilonce
assert gilonce.__implementation__ == {gilonce.__implementation__!r}

def fail(*_):
    raise AssertionError("computed")

class Owner:
    @gilonce.once_property
    @classmethod
    def of_class(cls):
        '''The docstring.'''
        fail()

    @gilonce.once_property
    @staticmethod
    def of_all():
        fail()

ANYTHING = gilonce.lazy_global(fail)
OWNER = gilonce.lazy_global(fail, interface=Owner)
"""
    (tmp_path / "looked_at.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", tool, "looked_at.py" if tool == "doctest" else "looked_at"],
        cwd=tmp_path,
        env={**environment(gilonce.__implementation__), "PYTHONPATH": where_gilonce_is()},
        capture_output=True,
        text=True,
        timeout=2 * WATCHDOG,
        check=False,
    )
    # From Python 3.12 on, unittest exits with 5 if there are no tests.
    assert done.returncode in ((0, 5) if tool == "unittest" else (0,)), done.stderr
    assert "computed" not in done.stderr
    assert "The docstring." in done.stdout or tool != "pydoc"


def test_pytest_collects_a_module_with_a_lazy_global_and_does_not_touch_it(
    gilonce: ModuleType, pytester: pytest.Pytester
) -> None:
    """Nor with the plugin of gilonce."""
    pytester.makepyfile(test_lazy=LAZY_MODULE + "def test_nothing(): assert 'not yet called' in repr(CONFIG)\n")
    for options in plugin.LOAD, ["-p", "no:gilonce"]:
        pytester.runpytest_inprocess(*options).assert_outcomes(passed=1)


@FASTAPI.row("A `lazy_global` as the application is served", NO_LAZY_GLOBAL)
def test_a_lazy_application_is_served_as_what_it_is(gilonce: ModuleType) -> None:
    """Starlette asks `app.__call__` which protocol it speaks."""
    for name in "starlette", "fastapi", "httpx":
        import_package(name)
    application = importlib.import_module("fastapi").FastAPI()
    application.get("/")(lambda: {"found": True})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own client of HTTP is to be replaced by another
        client = importlib.import_module("starlette.testclient").TestClient
    proxies = [make_proxy(gilonce, lambda: application, state) for state in ("touched", "with interface=")]
    for proxy in *proxies, gilonce.lazy_global(lambda: application, reify=False):
        assert client(proxy).get("/").json() == {"found": True}
