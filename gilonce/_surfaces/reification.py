"""Reification: the first touch of a lazy global replaces the proxy by the object in modules.

These are the module that defines the global, and every module that imported it by its name: `from settings import
CONFIG`. Classes, closures, default arguments and containers keep the proxy.
"""

from __future__ import annotations

import sys
import sysconfig
from types import ModuleType

from .interfaces import module_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Whether a reference count says how many references there are.
_COUNTS = hasattr(sys, "getrefcount") and not sysconfig.get_config_var("Py_GIL_DISABLED")


def find_names(proxy: object, namespace: dict[str, Any], references: int | None) -> list[tuple[dict[str, Any], str]]:
    """Return the names under which `namespace` holds `proxy`, and other modules hold it under the same names.

    `references` is the result of `references_to`. If `namespace` holds all of them, no other module is searched.
    """
    # `copy` is one operation of the interpreter, so no other thread can change the dict during the loop.
    names = []
    elsewhere = sys.maxsize if references is None else references
    for name, bound in namespace.copy().items():
        if bound is proxy:
            names.append(name)
            elsewhere -= 1
    # The defining module comes last. If this is interrupted before, the next touch finds the names there.
    found = []
    if elsewhere > 0:
        for name in names:
            for importer in sys.modules.copy().values():
                # `type()` and `module_entries`, because reading a module of `importlib.util.LazyLoader` loads it.
                if issubclass(type(importer), ModuleType):
                    its_names = module_entries(importer)
                    if its_names is not namespace and name in its_names and its_names[name] is proxy:
                        found.append((its_names, name))
    return found + [(namespace, name) for name in names]


#: How many references to the proxy the touch itself holds. The first touch, at the end of `proxy.py`, sets it.
_of_touch: int | None = None


def references_to(proxy: object) -> int | None:
    """Return the number of references to a proxy that is being touched, without those of the touch itself.

    None if this interpreter does not count references.
    """
    global _of_touch
    if not _COUNTS:
        return None
    count = sys.getrefcount(proxy)
    if _of_touch is None:
        _of_touch = count - 1
    return count - _of_touch
