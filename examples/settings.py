"""Settings are wanted as a global, but reading their file while modules are imported is too early.

At import time the file may not be there yet, tests have had no chance to replace it, and a program that only prints
its `--help` pays for it. Here `SETTINGS` can be imported by any module, settings_reader.py for one, and the file is
read when something first uses it.

Look for "reading settings.toml": it comes once, after both modules are imported. Then look at what the name stands for
in each module. In this one, where `lazy_global()` was called, the first use put the settings themselves in its place:
from then on it is a plain global, and as fast. The other module imported the name before, and keeps the proxy; it
leads to the same object.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from gilonce import lazy_global

if sys.version_info >= (3, 11):
    from tomllib import loads
else:

    def loads(text: str) -> dict[str, Any]:
        """Read as much of TOML as settings.toml uses: Python 3.10 comes without tomllib."""
        return {key: ast.literal_eval(value) for key, value in re.findall(r"^(\w+) = (.+)$", text, re.MULTILINE)}


@dataclass(frozen=True)
class Settings:
    name: str
    port: int


def read_settings() -> Settings:
    path = Path(__file__).with_name("settings.toml")
    print(f"... reading {path.name}")
    return Settings(**loads(path.read_text(encoding="utf-8")))


SETTINGS = lazy_global(read_settings)


def kind(value: object) -> str:
    # Not `isinstance` or `__class__`, by which a proxy passes for what it stands for.
    return type(value).__name__


def main() -> None:
    # This run of the file is the module `__main__`; what the reader imports is `settings`.
    import settings
    import settings_reader

    print("both modules imported:", repr(settings.SETTINGS))
    print("first use:", settings_reader.address())
    print("settings.SETTINGS is now of the type", kind(settings.SETTINGS))
    print("settings_reader.SETTINGS is still of the type", kind(settings_reader.SETTINGS))
    # To a type checker the proxy is the settings, which have no `__wrapped__`.
    behind = attrgetter("__wrapped__")
    print("the object behind both is the same:", behind(settings_reader.SETTINGS) is settings.SETTINGS)


if __name__ == "__main__":
    main()
