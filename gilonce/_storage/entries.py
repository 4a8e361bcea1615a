"""The entries in an instance's `__dict__` that are no values: a cell, or the table of `once_per_args`.

A copy of the instance carries its entries too, so each entry knows its owner. Threads that find no entry of their
owner elect one.
"""

from __future__ import annotations

from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: By the `id` of its `identity_of`: an instance that lacks an entry, and the candidate for that entry.
    Candidates = dict[int, tuple[object, Any]]


class _StrongReference:
    """A stand-in for a weak reference to an instance whose class does not support them. It forms a reference cycle."""

    __slots__ = ("_owner",)

    def __init__(self, owner: object) -> None:
        self._owner = owner

    def __call__(self) -> object:
        return self._owner


def reference_to(owner: object) -> Callable[[], object]:
    """Return a reference to `owner`, a weak one if its class supports them.

    What is stored in the `__dict__` of an instance has such a reference, because a copy of the instance carries it too
    and must detect that it is not its own.
    """
    try:
        return ref(owner)
    except TypeError:
        return _StrongReference(owner)


def is_reference_to(reference: Callable[[], object], owner: object, namespace: object) -> bool:
    """Return whether `reference` is to `owner`, or to an instance with the same `__dict__`, which is `namespace`.

    This asks the other instance for its `__dict__` now. The `id` of the `__dict__` that it had earlier would not do:
    the program may have replaced that one, and then another `__dict__` may have the same `id`.
    """
    original = reference()
    return original is owner or (type(namespace) is dict and getattr(original, "__dict__", None) is namespace)


def identity_of(owner: object, namespace: object) -> object:
    """Return the object by whose `id` an instance is known while threads fill a place in it.

    This is the `__dict__`, because two instances may share one, and so may a proxy and the object behind it. A
    `__dict__` that is not a dict may be a new mapping at every access. Then it is the instance.
    """
    return namespace if type(namespace) is dict else owner


def is_own(entry: Any, owner: object, namespace: object) -> bool:
    """Return whether an entry in the `__dict__` of `owner` is one of ours, and not that of an original of `owner`."""
    return hasattr(type(entry), "is_of") and entry.is_of(owner, namespace)


def elect_entry(candidates: Candidates, owner: object, namespace: Any, key: str, entry: Any) -> Any:
    """Return the entry of `owner` under `key`, for which each thread that finds none brings a candidate.

    As in `class_values`, `setdefault` elects one, which all threads write before one of them removes it from
    `candidates`.
    """
    place = id(identity_of(owner, namespace))
    candidate = owner, entry
    try:
        candidate = candidates.setdefault(place, candidate)
        stored = _store(candidates, place, namespace, key, candidate)
    finally:
        # A second time, because Ctrl-C may have interrupted the first, and a candidate keeps the instance alive.
        _store(candidates, place, namespace, key, candidate)
    return stored


def _store(candidates: Candidates, place: int, namespace: Any, key: str, candidate: tuple[object, Any]) -> Any:
    """Store the elected candidate unless an entry is stored. Drop the candidate, and return the stored entry."""
    entry = namespace.get(key)
    if not is_own(entry, candidate[0], namespace):
        entry = namespace[key] = candidate[1]
    if candidates.get(place) is candidate:
        candidates.pop(place, None)
    return entry
