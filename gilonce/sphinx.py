"""The Sphinx extension, which documents lazy values as what they are.

    extensions = ["sphinx.ext.autodoc", "gilonce.sphinx"]

Neither autodoc nor autosummary computes a class-level `once_property` or a `lazy_global`, with or without this
extension. With it, autodoc documents

* every `once_property` as a property, with its type and docstring: also with `slot=`, on an `async def`, and on a
  `classmethod` or `staticmethod`;
* every `lazy_global` as data, with the comment or docstring beside it in the source.

autosummary takes a `lazy_global` of which nothing is known for a function. `interface=` or a return annotation of the
factory prevents that.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Nothing of gilonce is imported here but the package itself, and nothing of Sphinx, which calls `setup`.


def setup(app: Any) -> dict[str, Any]:
    """Set up the extension. Sphinx calls this."""
    from . import __version__

    app.setup_extension("sphinx.ext.autodoc")
    # Older versions of Sphinx name it differently.
    getters: dict[type, Any] = getattr(app.registry, "autodoc_attrgetters", {})
    read = sys.modules["sphinx.util.inspect"].safe_getattr
    safely = _SafeGetattr(read)
    for cls in type, ModuleType:
        app.add_autodoc_attrgetter(cls, _SafeGetattr(getters.get(cls, read)))
    # autodoc asks the getters for the attributes of classes. It reads those of a module by a function of Sphinx, which
    # its modules have imported by name.
    for name, module in list(sys.modules.items()):
        if name.startswith("sphinx.ext.auto") and vars(module).get("safe_getattr") is read:
            module.safe_getattr = safely  # type: ignore[attr-defined]
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}


class _SafeGetattr:
    """Reads attributes for autodoc.

    Parameters:
        read: reads all other attributes, as `getattr` does.
    """

    def __init__(self, read: Callable[..., Any]) -> None:
        self._read = read

    def __call__(self, it: Any, name: str, *default: Any) -> Any:
        # `type(it)`, not `isinstance`, which would ask a lazy global what it is.
        if _is_lazy(it):
            it = _LazyGlobal(it)
        if type(it) is _LazyGlobal:
            return getattr(it, name, *default)
        found: Any = _find(it, name) if issubclass(type(it), type) else None
        if found is None:
            found = self._read(it, name, *default)
        return _LazyGlobal(found) if _is_lazy(found) else found


class _LazyGlobal:
    """Stands for a lazy global that has not been computed. It has no docstring, so autodoc looks in the source."""

    __doc__ = None

    def __init__(self, proxy: object) -> None:
        self._repr = repr(proxy)

    def __repr__(self) -> str:
        return self._repr


def _is_lazy(it: object) -> bool:
    # Before the first lazy global is made, no object is one.
    proxies = sys.modules.get("gilonce._surfaces.global_cell")
    return proxies is not None and proxies.is_lazy(it)


def _find(cls: type, name: str) -> Any:
    """Return what to document, if `name` is a `once_property` or a lazy global in `cls`, or None."""
    from . import once_property

    for base in type.__dict__["__mro__"].__get__(cls):
        found = base.__dict__.get(name)
        if _is_lazy(found):
            return _LazyGlobal(found)
        if issubclass(type(found), once_property) and not issubclass(type(found), property):
            return property(found._function, doc=found.__doc__)
        if name in base.__dict__:
            break
    return None
