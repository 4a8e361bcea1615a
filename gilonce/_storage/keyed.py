"""Tables: one cell per key, for every kind of key.

A table finds the cell of a key, and makes it if there is none. All callers that use one key must get the same cell,
whatever the program does meanwhile. A dict does not promise that: a key whose `__eq__` runs Python code can end up in a
dict twice. So a table changes in single atomic steps, and compares keys only between them. These are its parts:

* `Nodes` maps the hash of a key to a *chain*, and a chain has one node for each key with that hash. A node is a cell.
  To find the node of a key, a thread compares the key with those of the nodes in the chain. This may run user code,
  and nothing is locked meanwhile.
* A chain is a list of *versions*. A version has a tuple of nodes, which never changes, and a link to the next version,
  which is written once, by `dict.setdefault`. A thread that has compared all nodes of a version adds its node by
  writing the link of that version. If another thread was first, the search continues in the version that this other
  thread has written. No node is compared twice in one search, so a search ends even if the comparison itself adds
  nodes.
* A version refers to its nodes weakly. A thread that uses a node keeps it alive, and so does a caller of `.cell()`.
  Nothing else keeps an empty cell alive. When its last user is gone, the interpreter clears the weak reference. Up to
  that moment every thread finds the node, and from then on none does. (A finalizer in a reference cycle may bring a
  node back. See `current_node`.)
* The table keeps every node alive that has a value, in a dict of *pins*; see `Table.note`.
* Only its nodes keep a chain alive. The table removes the weak reference to a chain only if that is dead. One operation
  of the interpreter checks and removes it: the operation that `WeakValueDictionary` uses.

For example, two threads call `f(1)` and `f(1.0)` at the same moment. Both hashes are 1, so both threads find or make
the same chain, whose first version has no nodes. Each thread makes a node and tries to write the link. One of them
succeeds. The other finds a new version, compares 1.0 with 1, and uses the first thread's node.

*Law 1.* All calls with one key use one node as long as it exists. It exists as long as it is full, is being filled, or
is referred to by the program.

The `front` of a table is a shortcut for keys whose comparison runs no user code. It maps the key to the dict that holds
the value of the key's node. It may be out of date, which does no harm: a node that is gone was empty when it went, and
cannot be filled again, so its dict stays empty.
"""

from __future__ import annotations

# `WeakValueDictionary` is built on the same function.
from _weakref import _remove_dead_weakref, ref  # type: ignore[attr-defined]

from .._cells.racing import EMPTY
from .._native import replace_with_native
from .bound import BoundCell, Definition, is_class
from .entries import elect_entry, is_own, is_reference_to, reference_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Any, Protocol

    from .entries import Candidates

    class Node(Protocol):
        _chain: Chain
        _key: Hashable
        _reference: Reference
        _table: Callable[[], Any]

        def _is_full(self) -> bool: ...


class Version:
    """The nodes of a chain at one time. `later["next"]` is the next version, if there is one."""

    __slots__ = ("later", "nodes")

    def __init__(self, nodes: tuple[Reference, ...]) -> None:
        self.nodes = nodes
        self.later: dict[str, Version] = {}


class Chain:
    """The nodes whose keys have the same hash."""

    __slots__ = ("__weakref__", "_version")

    def __init__(self) -> None:
        # A version from which the links lead to the latest. Threads may set it to an earlier one, which does no harm.
        self._version = Version(())

    def latest(self) -> Version:
        """Return the version that has no next version yet."""
        version = self._version
        while (later := version.later.get("next")) is not None:
            version = later
        self._version = version
        return version

    def drop_dead(self) -> None:
        """Drop the weak references whose nodes are gone."""
        while True:
            version = self.latest()
            alive = tuple([reference for reference in version.nodes if reference() is not None])
            if len(alive) == len(version.nodes):
                return
            version.later.setdefault("next", Version(alive))


class Reference(ref):  # type: ignore[type-arg]
    """A weak reference to a chain or a node. It knows the hash and the `Nodes` from which the dead must be removed."""

    __slots__ = ("hashed", "nodes")

    hashed: int
    nodes: ref[Nodes]


def _reference(it: Any, callback: Callable[[Reference], None], nodes: Nodes, hashed: int) -> Reference:
    reference = Reference(it, callback)
    reference.hashed = hashed
    reference.nodes = nodes.weakly
    return reference


def _drop_node(reference: Reference) -> None:
    nodes = reference.nodes()
    chain = None if nodes is None else nodes.chain_of(reference.hashed)
    if chain is not None:
        chain.drop_dead()


def _drop_chain(reference: Reference, remove: Callable[..., None] = _remove_dead_weakref) -> None:
    nodes = reference.nodes()
    if nodes is not None:  # pragma: no branch - None only if the collector has freed both
        remove(nodes.chains, reference.hashed)


class Nodes:
    """The nodes of a table, by key. It keeps none of them alive."""

    __slots__ = ("__weakref__", "chains", "weakly")

    def __init__(self) -> None:
        self.chains: dict[int, Reference] = {}
        # Weak, so neither a node nor a callback keeps a table alive.
        self.weakly = ref(self)

    def chain_of(self, hashed: int) -> Chain | None:
        """Return the chain of a hash, or None if it has no nodes."""
        reference = self.chains.get(hashed)
        return None if reference is None else reference()

    def alive(self) -> list[Any]:
        """Return all nodes."""
        chains = [reference() for reference in list(self.chains.values())]
        nodes = [reference() for chain in chains if chain is not None for reference in chain.latest().nodes]
        return [node for node in nodes if node is not None]

    def node_of(self, key: Hashable, make: Callable[[Hashable, Chain], Any]) -> Any:
        """Return the node of `key`. If there is none, make it with `make`.

        Raises:
            BaseException: if the key's `__hash__` or a key's `__eq__` raises. No node is added then.
        """
        hashed = hash(key)
        compared: list[object] = []
        added = None
        while True:
            chain = self.chain_of(hashed)
            if chain is None:
                # If there is an entry, it is dead.
                _remove_dead_weakref(self.chains, hashed)
                new = Chain()
                chain = self.chains.setdefault(hashed, _reference(new, _drop_chain, self, hashed))()
            if chain is None:  # pragma: no cover - another thread made the chain, and it is gone again
                continue
            version = chain.latest()
            alive = []
            for reference in version.nodes:
                node = reference()
                if node is None:
                    continue
                alive.append(reference)
                if not any([node is other for other in compared]):  # noqa: C419 - no generator to drop
                    # In the order in which a dict compares: identity first, then equality.
                    if node._key is key or node._key == key:
                        return node
                    compared.append(node)
            if added is None or added._chain is not chain:
                added = make(key, chain)
            added._reference = _reference(added, _drop_node, self, hashed)
            later = Version((*alive, added._reference))
            if version.later.setdefault("next", later) is later:
                return added


def nodes_of(table: Any) -> list[Any]:
    """Return all nodes that may have a value, in the order in which they got it.

    While two threads call `note` for one node, a node with a value may have no pin for a moment. It is alive then,
    because these threads use it.
    """
    pinned = list(table.pins.values())
    known = {id(node) for node in pinned}
    return pinned + [node for node in table.nodes.alive() if id(node) not in known]


def current_node(node: Any) -> Any:
    """Return the node to use instead of `node`: nearly always `node` itself.

    The collector clears the weak references to the objects of a reference cycle before it runs their finalizers. If
    one of these keeps an empty node, calls no longer find that node. It may not get a value of its own then, because
    the key may have a value in another node. So each use of it goes to the node that calls find, and if there is none,
    to `node`, which is added again.
    """
    if node._reference() is node:
        return node
    table = node._table()

    def add_again(_: Hashable, chain: Chain) -> Any:
        node._chain = chain
        return node

    return node if table is None else table.nodes.node_of(node._key, add_again)


#: Types whose objects compare without running user code. Their subclasses may define another `__eq__`.
_PLAIN = frozenset({str, int, bytes, bool, float, complex, type(None), type(...)})


def is_plain(key: object) -> bool:
    """Return whether no user code runs when `key` is hashed, or compared with another plain key."""
    cls = type(key)
    if cls is tuple:
        return all([is_plain(part) for part in key])  # type: ignore[attr-defined]  # noqa: C419 - no generator to drop
    if cls in _PLAIN:
        return True
    return cls.__eq__ is object.__eq__ and cls.__hash__ is object.__hash__


class KeyedDefinition(Definition):
    """What the tables of one decorated function have in common. It also finds the table of an owner."""

    __slots__ = ("candidates",)

    #: Whether a copy of an instance has the values too.
    carries = True

    def __init__(self, function: object, discard: Any, advice: str) -> None:
        super().__init__(function, discard, advice)
        self.candidates: Candidates = {}

    def make_table(self, owner: object = None, items: Iterable[Any] = ()) -> Any:
        """Return a new table. It belongs to `owner`, unless that is None.

        Parameters:
            owner: an instance.
            items: pairs of a key and a value to begin with.
        """
        return Table(self, KeyedCell, owner, items)

    def table_of(self, owner: object) -> Any:
        """Return the table of `owner`, which is an instance or a class. Make it if there is none.

        Threads that make one for an instance at the same time elect a candidate, as in `class_values`.
        """
        if is_class(owner):
            values = self.values_of(owner)
            table = values.get(self.key)
            if table is None:
                # As in `ClassValues.cover`.
                values.register()
                table = values.setdefault(self.key, self.make_table())
            return table
        namespace = self.namespace_of(owner)
        table = namespace.get(self.key)
        if is_own(table, owner, namespace):
            return table
        # In a copy of an instance, and in an instance that was pickled, this is a table or an object with its values.
        items = table.items() if self.carries and hasattr(type(table), "items") else ()
        return elect_entry(self.candidates, owner, namespace, self.key, self.make_table(owner, items))


class OwnedTable:
    """A mixin for a table that knows its owner: the `__dict__` of a copied instance has the original's table."""

    __slots__ = ()

    def _set_owner(self: Any, owner: object) -> None:
        self.owner = reference_to(owner)

    def _begin_with(self: Any, items: Iterable[tuple[Any, Any]]) -> None:
        for key, value in items:
            self.cell_of(key)._publish(value)

    def cells(self: Any) -> list[Any]:
        """Return the cells of the keys that have a value."""
        return [self.cell_of(key) for key, _ in self.items()]

    def is_of(self: Any, owner: object, namespace: object) -> bool:
        """Return whether this is the table of `owner`, whose `__dict__` is `namespace`."""
        return is_reference_to(self.owner, owner, namespace)

    def __reduce__(self: Any) -> tuple[Any, ...]:
        return CarriedItems, (self.items(),)


class CarriedItems:
    """What a pickled or deeply copied instance has instead of a table, until the first use makes a table of it."""

    __slots__ = ("_items",)

    def __init__(self, items: list[tuple[Any, Any]]) -> None:
        self._items = items

    def items(self) -> list[tuple[Any, Any]]:
        return self._items

    def __reduce__(self) -> tuple[Any, ...]:
        return CarriedItems, (self._items,)


@replace_with_native
class Table(OwnedTable):
    """One cell per key.

    Parameters:
        definition: the definition of the decorated function.
        cell_class: the class of the cells.
        owner: the instance that the table belongs to, or None.
        items: pairs of a key and a value to begin with.
    """

    __slots__ = ("__weakref__", "cell_class", "definition", "front", "nodes", "owner", "pins", "weakly")

    def __init__(
        self,
        definition: KeyedDefinition,
        cell_class: type,
        owner: object = None,
        items: Iterable[tuple[Any, Any]] = (),
    ) -> None:
        self.definition = definition
        self.cell_class = cell_class
        self.nodes = Nodes()
        #: The nodes that have a value, by their `id`, in the order in which they got it.
        self.pins: dict[int, Any] = {}
        #: By plain key: the dict that holds the value of the key's node.
        self.front: dict[Any, dict[str, tuple[Any]]] = {}
        self.weakly = ref(self)
        self._set_owner(owner)
        self._begin_with(items)

    def cell_of(self, key: Hashable) -> Any:
        """Return the one cell of `key`."""
        return self.nodes.node_of(key, self._make)

    def _make(self, key: Hashable, chain: Chain) -> Any:
        return self.cell_class(self.definition, self.weakly, key, chain)

    def items(self) -> list[tuple[Any, Any]]:
        """Return the keys that have a value, each with its value."""
        pairs = [(node._key, node._load()) for node in nodes_of(self)]
        return [(key, value) for key, value in pairs if value is not EMPTY]

    def take_all(self) -> list[Any]:
        """Empty all cells, and return the values that they held."""
        values = [node.take(EMPTY) for node in nodes_of(self)]
        return [value for value in values if value is not EMPTY]

    def note(self, node: Any) -> None:
        """Pin `node` if it is full. Remove its pin if it is empty.

        A thread calls this after each change that it makes to the node, which the thread keeps alive meanwhile. The
        thread looks at the node, acts, and looks again. If the node has changed, the thread acts again. So the last
        thread that acts has seen the final state of the node, or the thread that changed it since will call this.
        """
        front = node._front_key()
        is_full = node._is_full()
        while True:
            if is_full:
                self.pins[id(node)] = node
                if front is not EMPTY:
                    self.front[front] = node._values
            else:
                if front is not EMPTY:
                    self.front.pop(front, None)
                self.pins.pop(id(node), None)
            was_full, is_full = is_full, node._is_full()
            if is_full == was_full:  # pragma: no branch - different only if another thread comes in between
                return


class NotedInTable:
    """A mixin before a cell class: after each change, the cell calls `note` of its table.

    Each method that uses the value asks `current_node` first.
    """

    __slots__ = ()

    def _is_full(self: Any) -> bool:
        return self._load() is not EMPTY

    def _front_key(self: Any) -> Any:
        return self._key if is_plain(self._key) else EMPTY

    def _note(self: Any) -> None:
        table = self._table()
        # If the table is gone, only the program uses the node.
        if table is not None:
            table.note(self)

    def _load(self: Any) -> Any:
        node = current_node(self)
        return super()._load() if node is self else node._load()  # type: ignore[misc]

    def _publish(self: Any, value: Any) -> tuple[Any, bool]:
        node = current_node(self)
        if node is not self:
            elsewhere: tuple[Any, bool] = node._publish(value)
            return elsewhere
        table = self._table()
        if table is not None:
            # Before the value is published: an interrupt may leave a pin too many, but no value without a pin.
            table.pins[id(self)] = self
        try:
            published: tuple[Any, bool] = super()._publish(value)  # type: ignore[misc]
        finally:
            self._note()
        return published

    def _clear(self: Any) -> Any:
        node = current_node(self)
        if node is not self:
            return node._clear()
        try:
            return super()._clear()  # type: ignore[misc]
        finally:
            self._note()

    def _current(self) -> Any:
        return current_node(self)

    _to_override = _current

    def _replace(self: Any, *change: Any) -> Any:
        try:
            return super()._replace(*change)  # type: ignore[misc]
        finally:
            self._note()


@replace_with_native
class KeyedCell(NotedInTable, BoundCell):
    """The cell of one key. It is not a view: it holds the value itself, and belongs to a table while that exists."""

    __slots__ = ("_chain", "_key", "_reference", "_table")

    def __init__(self, definition: KeyedDefinition, table: Callable[[], Any], key: Hashable, chain: Chain) -> None:
        super().__init__(definition)
        self._table = table
        self._key = key
        self._chain = chain
        self._make_empty()
