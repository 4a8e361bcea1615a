"""A module that imports the lazy global before anything has read the file."""

from .settings import SETTINGS

__all__ = ["SETTINGS", "address"]


def address() -> str:
    return f"http://{SETTINGS.name}.example:{SETTINGS.port}"
