"""What a class statement raises when a property in it is wrong."""

from __future__ import annotations

from typing import Any

import pytest


def class_creation_error() -> Any:
    """Expect a TypeError, which before 3.12 arrives as the cause of a RuntimeError."""
    return pytest.raises((TypeError, RuntimeError))


def message_of(caught: Any) -> str:
    """Return the message of the TypeError that `class_creation_error` has caught."""
    return str(caught.value if isinstance(caught.value, TypeError) else caught.value.__cause__)
