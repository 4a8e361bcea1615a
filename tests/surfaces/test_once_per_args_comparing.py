"""`once_per_args` with keys that run code while they are compared."""

from __future__ import annotations

import contextlib
import random
import threading
import weakref
from types import ModuleType

import pytest
from support.keys import Same, settle
from support.surfaces import Key


def test_a_key_may_ask_for_another_value_while_it_is_compared(gilonce: ModuleType) -> None:
    """Nothing is held meanwhile."""
    get = gilonce.once_per_args(lambda key: [key])
    inner: list[object] = []
    first = Same("a")
    get(first)
    again = Same("a", lambda: inner.append(get(Same("b"))))
    first.compare = lambda: inner.append(get("other"))
    assert get(again) is get(Same("a"))
    assert inner
    assert get("other") is inner[0]


def test_a_key_may_empty_the_table_while_it_is_compared(gilonce: ModuleType) -> None:
    """The search goes on in what is there then."""
    get = gilonce.once_per_args(lambda key: [key])
    taken: list[object] = []
    stored = Same("a", lambda: taken or taken.extend(get.take_all()))
    value = get(stored)
    mine = get(Same("a"))
    assert taken == [value]
    assert mine is not value
    assert get(Same("a")) is mine
    assert get.take_all() == [mine]


def test_a_search_ends_even_if_each_comparison_adds_a_key(gilonce: ModuleType) -> None:
    """No two keys are compared twice in one search."""
    get = gilonce.once_per_args(lambda key: [key])
    added: list[object] = []
    is_busy = threading.local()

    def add() -> None:
        if not getattr(is_busy, "now", False) and len(added) < 50:
            is_busy.now = True
            added.append(get(Same(len(added))))
            get.cell(Same("dropped"))
            is_busy.now = False

    get(Same("a", add))
    get(Same("b", add))
    value = get(Same("c"))
    assert get(Same("c")) is value
    assert len(get.take_all()) == 3 + len(added)


def test_a_search_that_is_always_disturbed_ends(gilonce: ModuleType) -> None:
    """Each comparison adds a key of the same hash, and drops it."""
    get = gilonce.once_per_args(lambda key: [key])
    is_busy: list[None] = []
    comparisons: list[None] = []

    def disturb() -> None:
        comparisons.append(None)
        if not is_busy:
            is_busy.append(None)
            get.cell(Same("dropped"))
            is_busy.clear()

    for number in range(5):
        get(Same(number, disturb))
    assert len(get.take_all()) == 5
    assert len(comparisons) < 100


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("hashed", range(9))
def test_a_key_that_was_equal_is_found_wherever_it_moves(gilonce: ModuleType, hashed: int, position: int) -> None:
    """A table in C that grows puts the keys around its end to its beginning, before some that were compared."""
    get = gilonce.once_per_args(lambda key: [key])
    values: list[object] = []

    def add() -> None:
        if len(values) == 6:
            values.append(None)
            values[6:] = [get(Same(number, hashed=hashed)) for number in range(6, 12)]

    for number in range(6):
        values.append(get(Same(number, add if number == position else lambda: None, hashed)))
    assert get(Same(position, hashed=hashed)) is values[position]
    assert get.take_all() == values


def test_every_key_that_was_equal_is_known_to_be(gilonce: ModuleType) -> None:
    """Two equal keys replace each other while they are compared with a third."""
    get = gilonce.once_per_args(lambda key: [key])
    replacements: list[Same] = []

    def replace() -> None:
        if replacements:
            key = replacements.pop()
            get.take_all()
            get(key)

    stored, other = Same("a", replace), Same("a", replace)
    get(stored)
    replacements += [stored, other]
    value = get(Same("a"))
    assert replacements == []
    assert get(stored) is value
    assert get.take_all() == [value]


def test_a_key_that_is_added_while_others_are_compared_is_found(gilonce: ModuleType) -> None:
    """Wherever the table then has it."""
    get = gilonce.once_per_args(lambda key: [key])
    added: list[object] = []

    def add() -> None:
        if not added:
            added.append(None)
            for number in range(50):
                get(Same(number) if number < 3 else number)
            added.append(get(Same("a")))

    get(Same("b", add))
    assert get(Same("a")) is added[1]
    assert get(Same("a")) is added[1]


def test_a_chain_drops_the_keys_that_are_gone(gilonce: ModuleType) -> None:
    """A search does not come by what is no longer there."""
    comparisons: list[None] = []

    @gilonce.once_per_args
    def get(key: Same) -> object:
        if key.name != "kept":
            raise ValueError
        return object()

    get(Same("kept"))
    for number in range(20):
        with contextlib.suppress(ValueError):
            get(Same(number))
    settle()
    with contextlib.suppress(ValueError):
        get(Same("new", lambda: comparisons.append(None)))
    get.cell(Same("kept", lambda: comparisons.append(None)))
    assert len(comparisons) <= 2
    if gilonce.__implementation__ == "python":
        settle()
        (chain,) = [reference() for reference in get._gilonce._table.nodes.chains.values()]
        assert len(chain.latest().nodes) == 1


def test_a_key_that_changes_its_mind_breaks_nothing(gilonce: ModuleType) -> None:
    """What it is equal to is its own affair; every other key has one value."""
    moods = random.Random(7)

    class Moody(Same):
        __hash__ = Same.__hash__

        def __eq__(self, other: object) -> bool:
            return moods.random() < 0.5

    get = gilonce.once_per_args(lambda key: object())
    steady = get(Same("steady"))
    for _ in range(50):
        get(Moody("moody"))
        get.cell(Moody("moody")).take()
    plain = gilonce.once_per_args(lambda key: object())
    value = plain("x")
    for _ in range(50):
        plain(Moody("moody"))
    assert plain("x") is value
    get.take_all()
    assert get(Same("steady")) is not steady
    settle()
    assert get.take_all()


def test_a_key_whose_hash_changes_is_another_key(gilonce: ModuleType) -> None:
    """As in a dict, no lookup finds its old entry, which is removed together with all others."""
    get = gilonce.once_per_args(lambda key: object())
    argument = Key(1)
    value = get(argument)
    argument.name = 2
    assert get(argument) is not value
    assert len(get.take_all()) == 2


#: Hashes among which some lie beside each other in a table in C, wherever it puts the first one.
HASHES = range(1, 32)


@pytest.mark.parametrize("hashed", HASHES)
def test_a_key_has_a_cell_for_each_of_its_hashes(gilonce: ModuleType, hashed: int) -> None:
    """Calls use the cell of the hash that the key has now."""
    get = gilonce.once_per_args(lambda key: object())
    argument = Key(hashed)
    first = get.cell(argument)
    cells = {hashed: first}
    for argument.name in HASHES:
        cell = cells.setdefault(argument.name, get.cell(argument))
        with cell.override("fake"):
            assert get(argument) == "fake"
        value = get(argument)
        assert value is cell.get()
        assert value is get(argument)
    assert len({id(cell) for cell in cells.values()}) == len(HASHES)
    assert len({id(cell.get()) for cell in cells.values()}) == len(HASHES)
    for argument.name in HASHES:
        assert get.cell(argument) is cells[argument.name]
        assert get(argument) is cells[argument.name].get()


def test_a_key_whose_hash_changes_is_freed(gilonce: ModuleType) -> None:
    """Each of its entries counts its own users."""
    freed: list[object] = []
    arguments: list[weakref.ref[Key]] = []
    for hashed in HASHES:
        for later in HASHES:
            get = gilonce.once_per_args(lambda key: object())
            argument = Key(hashed)
            arguments.append(weakref.ref(argument, freed.append))
            get(argument)
            argument.name = later
            get.cell(argument).get_or_init(object)
            assert len(get.take_all()) == (1 if later == hashed else 2)
            argument.name = hashed
            get.cell(argument)
            assert get.take_all() == []
            del argument
    settle()
    assert len(freed) == len(arguments)


def test_a_key_whose_hash_changes_has_one_value_if_its_table_grows(gilonce: ModuleType) -> None:
    """The initializer adds keys, so its own entry is somewhere else when it returns."""
    to_add: list[object] = []
    freed: list[object] = []
    arguments: list[weakref.ref[Key]] = []

    def initialize(key: object) -> object:
        while to_add:
            get(to_add.pop())
        return object()

    for hashed in HASHES:
        for later in HASHES:
            get = gilonce.once_per_args(initialize)
            argument = Key(hashed)
            arguments.append(weakref.ref(argument, freed.append))
            first = get(argument)
            argument.name = later
            to_add[:] = [(hashed, number) for number in range(6)]
            value = get(argument)
            assert (value is first) == (later == hashed)
            assert get(argument) is value
            assert len(get.take_all()) == (1 if later == hashed else 8)
            del argument
    settle()
    assert len(freed) == len(arguments)


def test_an_error_of_comparing_what_key_made_arrives_unchanged(gilonce: ModuleType) -> None:
    """It is not taken for one that says that the key cannot be hashed."""

    def compare() -> None:
        raise TypeError("incomparable")

    get = gilonce.once_per_args(lambda x: [x], key=lambda x: Same(x, compare))
    get(1)
    with pytest.raises(TypeError, match=r"^incomparable$"):
        get(2)
