"""Skip the explorations of interleavings where they cannot run: as tests, and as a program."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import pytest

HOW = "On CPython 3.12 to 3.14 with a GIL: pip install 'gilonce[interleavings]', or '.[interleavings]' in a checkout"


def skip(reason: str) -> NoReturn:
    script = getattr(sys.modules["__main__"], "__file__", None) or ""
    if os.path.basename(script) == "interleavings.py":
        raise SystemExit(f"NOT RUN: {reason}. {HOW}")
    pytest.skip(reason, allow_module_level=True)
