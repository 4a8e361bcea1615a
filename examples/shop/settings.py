"""The settings of the shop, as a global that every module can import."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
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
