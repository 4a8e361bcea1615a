"""Modules that Cython and mypyc compile, whose functions are decorated, beside functools in the same place.

They are compiled when the tests run, so a C compiler is needed. `cells/test_compiled_callables.py` tests the same
without one.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import WATCHDOG, environment
from support.comparison import Case, Given, Tool, where_gilonce_is

SOURCE = Path(__file__).with_name("compiled_source.py")
CYTHON = Tool("Cython")
MYPYC = Tool("mypyc", "mypy")

pytestmark = pytest.mark.slow  # the compilers are

#: How each compiler makes an extension module of the source in the working directory.
COMPILE = {
    "Cython": """
from Cython.Build import cythonize
from setuptools import setup
setup(name="compiled", ext_modules=cythonize("compiled.py", language_level=3), script_args=["-q", "build_ext", "-i"])
""",
    "mypyc": """
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(["--ignore-missing-imports", "--follow-imports=skip", "compiled.py"], opt_level="0")
setup(name="compiled", ext_modules=modules, script_args=["-q", "build_ext", "-i"])
""",
}

#: Where the compiled module gets its decorators from.
DECORATORS = """
import os
if os.environ["DECORATORS"] == "functools":
    from functools import cache as once, cache as once_per_args, cached_property as once_property
else:
    import gilonce
    assert gilonce.__implementation__ == os.environ["IMPLEMENTATION"]
    from gilonce import once, once_per_args, once_property
"""

USE = """
import asyncio
import json

async def same(call):
    return await call() is await call()

def later(call):
    return asyncio.run(same(call))

def refused(call):
    try:
        call()
    except TypeError as error:
        return "cannot wrap" in str(error)
    return False

def uses(it):
    owner, other = it.Owner(), it.Owner()
    return {
        "function": lambda: it.function() is it.function(),
        "later": lambda: later(it.later),
        "per_args": lambda: it.per_args(1) is it.per_args(one=1, two=2) is not it.per_args(2),
        "per_args_later": lambda: later(lambda: it.per_args_later(1)),
        "method": lambda: owner.method() is owner.method() is not other.method(),
        "attribute": lambda: owner.attribute is owner.attribute is not other.attribute,
        "of_class": lambda: it.Owner.of_class() is owner.of_class() is not type("Sub", (it.Owner,), {}).of_class(),
        "of_all": lambda: it.Owner.of_all() is owner.of_all(),
        "method_later": lambda: later(owner.method_later),
        "local": lambda: (lambda local: local() is local())(it.make_local()),
        "local_later": lambda: later(it.make_local_later()),
        "generator": lambda: refused(it.make_generator),
        "required": lambda: refused(it.make_required),
    }

import compiled

assert not compiled.__file__.endswith(".py")
outcomes = {}
for name, use in uses(compiled).items():
    try:
        outcomes[name] = use()
    except Exception as error:
        outcomes[name] = repr(error)
print(json.dumps(outcomes))
"""

COROUTINE = "the one coroutine is kept, which can be awaited once"
#: What is tried, why it fails with functools, and why it fails with gilonce when mypyc has compiled it.
USES = {
    "function": ("A function", "", ""),
    "later": ("An `async def`", COROUTINE, ""),
    "per_args": ("A function with arguments, in two spellings", "each spelling is another value", ""),
    "per_args_later": ("An `async def` with arguments", COROUTINE, ""),
    "method": ("A method", "", ""),
    "attribute": ("An attribute", "", ""),
    "of_class": ("A class method above it", "", ""),
    "of_all": ("A static method above it", "", ""),
    "method_later": ("An `async def` method", COROUTINE, "mypyc's object does not say that it is asynchronous"),
    "local": ("A function in a function", "", ""),
    "local_later": ("An `async def` in a function", COROUTINE, ""),
    "generator": (
        "A generator function is refused",
        "the one generator is kept, which the first caller exhausts",
        "mypyc's object does not say that it is a generator function",
    ),
    "required": (
        "A function with required parameters is refused",
        "it makes a value for each set of arguments",
        "mypyc's object does not tell its parameters",
    ),
}


@functools.cache
def compiled(tool: str, folder: Path) -> Path:
    """Compile the source, and return the folder of the module."""
    made = folder / tool
    made.mkdir()
    source = SOURCE.read_text(encoding="utf-8")
    if tool == "mypyc":
        # A class with other decorators than those of the language is an ordinary class.
        source = source.replace("import decorators", "import decorators\nfrom mypy_extensions import mypyc_attr")
        source = source.replace("class Owner", "@mypyc_attr(native_class=False)\nclass Owner")
    (made / "compiled.py").write_text(source, encoding="utf-8")
    (made / "decorators.py").write_text(DECORATORS, encoding="utf-8")
    (made / "make.py").write_text(COMPILE[tool], encoding="utf-8")
    run(made, "make.py", "functools", "any", timeout=10 * WATCHDOG)
    return made


def run(folder: Path, program: str, decorators: str, implementation: str, timeout: float = 2 * WATCHDOG) -> str:
    done = subprocess.run(
        [sys.executable, program],
        cwd=folder,
        env={
            **environment(implementation),
            "PYTHONPATH": where_gilonce_is(),
            "DECORATORS": decorators,
            "IMPLEMENTATION": implementation,
        },
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def outcomes(tool: str, folder: Path, decorators: str, implementation: str) -> dict[str, object]:
    made = compiled(tool, folder)
    (made / "use.py").write_text(USE, encoding="utf-8")
    found: dict[str, object] = json.loads(run(made, "use.py", decorators, implementation))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


#: The folder of the running test, for the cases.
_folder: list[Path] = []


def add_case(tool: Tool, name: str) -> None:
    what, reason, limit = USES[name]

    def use(given: Given) -> None:
        implementation = "python" if os.environ.get("GILONCE_PURE_PYTHON") else "native"
        assert outcomes(tool.package, _folder[-1], given.name, implementation)[name] is True

    use.__name__ = name
    use.__doc__ = f"{what}."
    if (tool, name) == (CYTHON, "of_all"):
        reason = "Cython puts the `staticmethod` below, and the result of `functools.cache` is a method"
    tool.case(functools=reason, gilonce=limit if tool is MYPYC else "")(use)


for _tool in CYTHON, MYPYC:
    for _name in USES:
        add_case(_tool, _name)


@pytest.mark.parametrize("case", [*CYTHON.cases, *MYPYC.cases], ids=lambda case: f"{case.tool.package}-{case}")
def test_compiled_functions_are_decorated_as_others_are(gilonce: ModuleType, folder: Path, case: Case) -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("there is no C compiler")
    # mypy, which brings mypyc, may have been installed for its checks alone.
    pytest.importorskip("setuptools", reason="setuptools is not installed: pip install 'gilonce[ecosystem]'")
    _folder.append(folder)
    case.check(gilonce)
