"""Write-once values for Python: lazy, raced for freely, and one object for everyone."""

from ._cell import AlreadySetError, GILOnceCell
from ._global import lazy_global
from ._implementation import implementation as __implementation__
from ._once import once
from ._property import once_property

__all__ = [
    "AlreadySetError",
    "GILOnceCell",
    "__implementation__",
    "__version__",
    "lazy_global",
    "once",
    "once_property",
]

__version__ = "0.1.0"
