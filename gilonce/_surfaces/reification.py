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

    #: Lists of a namespace, a name in it, and the object that gilonce has put there.
    Names = list[list[Any]]

#: Whether a reference count says how many references there are.
_COUNTS = hasattr(sys, "getrefcount") and not sysconfig.get_config_var("Py_GIL_DISABLED")


def reify(proxy: object, value: object, namespace: dict[str, Any], references: int | None) -> Names:
    """Replace `proxy` by `value` in `namespace`, and under the same names in other modules.

    `references` is the result of `references_to`. If `namespace` holds all of them, no other module is searched.
    Return the names that were replaced, each with its namespace and the value, so that an override can replace them.
    """
    # `copy` is one operation of the interpreter, so no other thread can change the dict during the loop.
    replaced: Names = []
    names = []
    elsewhere = sys.maxsize if references is None else references
    for name, bound in namespace.copy().items():
        if bound is proxy:
            names.append(name)
            elsewhere -= 1
    # The defining module comes last. If this is interrupted before, the next touch finds the names there.
    if elsewhere > 0:
        for name in names:
            for importer in sys.modules.copy().values():
                # Only an exact `ModuleType` is safe to read: reading a module of `importlib.util.LazyLoader` loads it.
                if type(importer) is ModuleType:
                    its_names = module_entries(importer)
                    if name in its_names and its_names[name] is proxy:
                        its_names[name] = value
                        replaced.append([its_names, name, value])
    # CPython with a GIL switches threads after calls and at jumps backwards. There is neither between the subscript and
    # the store, so a name that another thread has rebound is left alone. On other interpreters, a rebinding in just
    # that moment can be lost, as with any two assignments to a global.
    for name in names:
        if name in namespace and namespace[name] is proxy:
            namespace[name] = value
            replaced.append([namespace, name, value])
    return replaced


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
