"""Run threads in every order that matters, with frontrun's DPOR engine made to see what gilonce does.

frontrun runs one thread at a time, and can switch to another before each bytecode that touches shared memory. It
records what each bytecode touches, and runs the program again and again until every two conflicting accesses have
happened in either order. These are all interleavings, except for the order of independent steps, provided that frontrun
sees everything that is shared. Unchanged, it misses what matters here and disturbs what it looks at:

* It does not look into a slot, so it misses a dict in a slot, such as the one in a cell. It does not treat an instance
  and its `__dict__` as one place. It does not know that `in` and the descriptor of a slot read and write.
* It reads an attribute to find out what it is. That would compute a `once_property` before the threads get to it. It
  asks objects for their `__class__`, which touches a lazy proxy.
* It numbers objects that `setup` does not lead to in the order in which the threads reach them. That order differs
  between the runs that it compares.

* It runs orders that have the same effect. For two threads that each read a place five times and then write to it, it
  runs 924 orders, of which 12 differ.

So this module replaces how frontrun observes memory (`AccessObserver`) and how it chooses the next order
(`partial_order.py`). Stopping the interpreter before a bytecode, following its stack, running the threads and replacing
their locks is left to frontrun. `tests/laws/test_interleavings.py` shows that nothing is missed: broken cells are
found, and the threads see everything that a model says they may see.
"""

from __future__ import annotations

import contextlib
import dis
import gc
import os
import threading
import time
from _thread import _local
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import (
    BuiltinFunctionType,
    CellType,
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, TypeVar
from unittest import mock

import frontrun
import frontrun._dpor_runtime.explore as engine_room
import frontrun._dpor_runtime.runner as runner_module
import frontrun._opcode_observer as observer
from frontrun._cooperative import _scheduler_tls
from frontrun._deadlock import SchedulerAbort
from wrapt import BaseObjectProxy

from support.interleaving.gates import Gates, Stuck
from support.interleaving.partial_order import Order
from support.interleaving.scenario import ABORTS

ABORTS.append(SchedulerAbort)

#: The number of interleavings after which an exploration that is not done fails.
LIMIT = 10_000

#: Types whose objects cannot change, or are not looked into.
_CONSTANT = (
    str,
    bytes,
    int,
    float,
    tuple,
    frozenset,
    FunctionType,
    MethodType,
    BuiltinFunctionType,
    CodeType,
    ModuleType,
    _local,
    TypeVar,
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
#: The flag of a class that a class statement made.
_IN_PYTHON = 1 << 9
_ACCESSES = ("read", "write")
_CONTAINERS = (dict, list, set)
#: Descriptors that can give their value without running any bytecode.
_IN_C = (
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
    FunctionType,
    classmethod,
    staticmethod,
)
_OF_TOP = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SPECIAL", "STORE_ATTR", "DELETE_ATTR")
_OF_CONTAINER = {"CONTAINS_OP", "GET_ITER", "TO_BOOL", "UNARY_NOT"} | {
    name for name in dis.opmap if name.startswith("POP_JUMP")
}
_SWITCHES = ("RESUME", "JUMP_BACKWARD", "JUMP_ABSOLUTE")
#: Attributes of a lazy proxy that are places of their own. No operation but to read or assign them touches them.
_OF_PROXY = {"_self_cell", "_self_inner", "_self_is_registered", "_self_names", "_self_origin", "_self_outer"}
_SUBSCRIPTS = ("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR")


def _is(obj: object, types: Any) -> bool:
    """Replace `isinstance`, which would ask the object for its `__class__`."""
    return issubclass(type(obj), types)


def _peek(obj: Any, name: str) -> Any:
    """Return an attribute of `obj` if that can be done without running any bytecode, else None."""
    cls = type(obj)
    if issubclass(cls, BaseObjectProxy):
        return None
    found = next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)
    if type(found) not in (GetSetDescriptorType, MemberDescriptorType):
        if issubclass(cls, type):
            inside = next((base.__dict__[name] for base in obj.__mro__ if name in base.__dict__), None)
            return inside if type(inside) not in (classmethod, staticmethod) else inside.__func__
        if cls.__dictoffset__ and name in (namespace := object.__getattribute__(obj, "__dict__")):
            return namespace[name]
    return found.__get__(obj, cls) if type(found) in _IN_C else None


def _is_looked_up_in(obj: object, opcode: str) -> bool:
    """Return whether loading an attribute of `obj` only reads a method or a constant of its class."""
    return opcode.startswith("LOAD") and issubclass(type(obj), (*_CONTAINERS, type, MappingProxyType))


class AccessObserver:
    """Knows which memory is shared, and which bytecode touches it.

    A place is a dict, a list, a set, or an attribute in a slot. An object with a `__dict__` is the same place as the
    dict. If two accesses count as the same place without need, a few more runs are made, but none is missed. (Of a
    class, only attributes count that are reached through its namespace, as gilonce's are.)

    Threads may switch before a bytecode if it touches a meeting place: a place that several threads touch and at least
    one of them writes. Meeting places are learned during the runs. When there is a new one, the exploration starts
    again.

    Parameters:
        every_bytecode: whether threads may switch before every bytecode, as without a GIL. Otherwise they switch where
            CPython with a GIL does: when a function begins, after a call, and at a jump backwards.
        unread: objects that count as no place. Each thread only writes to them, under a key of its own, and depends on
            nothing that others wrote there.
    """

    def __init__(self, *, every_bytecode: bool, unread: Sequence[object] = ()) -> None:
        self._every_bytecode = every_bytecode
        self._unread = {id(it) for it in unread}
        self._threads = threading.local()
        self._meeting_places: set[tuple[Any, ...]] = set()
        self.has_learned = False
        self.look_at(())

    def look_at(self, roots: Sequence[object]) -> None:
        """Begin a run in which the threads share everything that `roots` lead to.

        A place has a number that is the same in every run. Shared places get their numbers here. The number of a place
        that is made later consists of its thread and a count of the places that this thread has made.
        """
        self._numbers: dict[int, tuple[int, int]] = {}
        self._made: dict[int, int] = {}
        self._visits: dict[tuple[Any, ...], dict[int, bool]] = {}
        # Keeps the objects alive, so that no `id` is used again within a run.
        self._kept: list[object] = []
        seen: set[int] = set()
        # All that one root leads to comes before what the next leads to. So if an object that lasts leads to more after
        # each run, the numbers do not change of what comes before it.
        found = [self._number_shared(root, seen) for root in roots]
        for queue in found:
            while queue:
                queue.extend(self._number_shared(queue.pop(0), seen))

    def _number_shared(self, obj: Any, seen: set[int]) -> list[Any]:
        """Number an object that the threads share, and return the objects to which it refers."""
        cls = type(obj)
        if id(obj) in self._unread or id(obj) in seen or obj is None:
            return []
        if issubclass(cls, (str, bytes, int, float, CodeType, ModuleType)):
            return []
        seen.add(id(obj))
        self._kept.append(obj)
        if issubclass(cls, FunctionType):
            return list(obj.__closure__ or ())
        if issubclass(cls, type) and not obj.__flags__ & _IN_PYTHON:
            return []
        if not issubclass(cls, (tuple, CellType, MethodType)):
            self.number(obj, thread=-1)
        # A module leads to nearly everything.
        return [] if issubclass(cls, dict) and "__spec__" in obj else gc.get_referents(obj)

    def number(self, obj: Any, thread: int) -> tuple[int, int] | None:
        """Return the number of the place that `obj` is, or None if it is not a place."""
        cls = type(obj)
        if obj is None or issubclass(cls, _CONSTANT) or id(obj) in self._unread:
            return None
        if issubclass(cls, type):
            if not obj.__flags__ & _IN_PYTHON:
                return None
            obj = gc.get_referents(type.__dict__["__dict__"].__get__(obj))[0]
        elif cls is MappingProxyType:
            obj = gc.get_referents(obj)[0]
        elif cls.__dictoffset__ and not issubclass(cls, (BaseObjectProxy, *_CONTAINERS)):
            obj = object.__getattribute__(obj, "__dict__")
        number = self._numbers.get(id(obj))
        if number is None:
            made = self._made[thread] = self._made.get(thread, 0) + 1
            number = self._numbers[id(obj)] = thread, made
            self._kept.append(obj)
        return number

    def _place(self, obj: Any, name: Any, thread: int) -> tuple[Any, ...] | None:
        """Return the number of the place that an attribute of `obj` is."""
        number = self.number(obj, thread)
        cls = type(obj)
        if number is not None and issubclass(cls, BaseObjectProxy) and name in _OF_PROXY:
            return (*number, name)
        if (
            number is None
            or cls.__dictoffset__
            or issubclass(cls, (BaseObjectProxy, MappingProxyType, type, *_CONTAINERS))
        ):
            return number
        return (*number, name)

    def _is_meeting_place(self, obj: Any, name: str | None, thread: int) -> bool:
        if name is not None:
            return self._kind(obj, self._place(obj, name, thread)) in self._meeting_places
        kind = self._kind(obj, self.number(obj, thread))
        return kind is not None and any(place[: len(kind)] == kind for place in self._meeting_places)

    def _kind(self, obj: Any, place: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """Return what is remembered of a place. Of a place that a thread has made, that is its type, not its number."""
        return place if place is None or place[0] < 0 else (type(obj), *place[2:])

    def _touched(self, instruction: Any, frame: Any, stack: Any) -> list[tuple[Any, str | None]]:
        """Return the objects that the instruction may touch, and which attribute of each."""
        name = instruction.opname
        if name in observer._CALL_OPCODES:
            operands = [stack.peek(depth) for depth in range((instruction.arg or 0) + 3)]
            operands += [it.__self__ for it in operands if type(it) in (BuiltinFunctionType, MethodWrapperType)]
            return [(operand, None) for operand in operands]
        if name in ("LOAD_GLOBAL", "STORE_GLOBAL"):
            return [(frame.f_globals, None)]
        if name in _SUBSCRIPTS or (name == "BINARY_OP" and "[" in instruction.argrepr):
            return [(stack.peek(1), None)]
        if name in _OF_TOP:
            obj = stack.peek(0)
            return [] if _is_looked_up_in(obj, name) else [(obj, instruction.argval)]
        if name in _OF_CONTAINER:
            return [(stack.peek(0), None)]
        if name == "FOR_ITER":
            marker = stack.peek(0)
            return [(marker[1], None)] if observer._is_iter_source_marker(marker) else []
        return []

    def step(self, code: CodeType, offset: int, frame: Any, scheduler: Any, thread: int, _: bool) -> bool:
        """Replace frontrun's `process_opcode_with_coarsening`: decide whether other threads may go on here."""
        instruction = observer._get_instructions(code)[offset]
        stack = scheduler.get_shadow_stack(id(frame))
        self._take_returned(frame, stack)
        self._number_stored(thread)
        state = self._threads.__dict__
        touched = self._touched(instruction, frame, stack)
        is_step = any(self._is_meeting_place(obj, name, thread) for obj, name in touched)
        if is_step and (self._every_bytecode or state.get("may_switch", True)):
            state["may_switch"] = False
            if not self.wait_for_turn(scheduler, thread):
                return False
        if instruction.opname in _OF_CONTAINER and type(stack.peek(0)) in _CONTAINERS:
            # Of `in`, and of asking whether it is empty, frontrun does not know.
            engine, execution, lock = scheduler.engine, scheduler.execution, scheduler._engine_lock
            self.report(engine, execution, thread, stack.peek(0), "__cmethods__", lock, None, "read")
        self._note_returns(instruction, frame, stack)
        if instruction.opname == "STORE_ATTR":
            state["stored"] = stack.peek(0), instruction.argval
        observer._process_opcode(frame, scheduler, thread)
        if instruction.opname in observer._CALL_OPCODES or instruction.opname in _SWITCHES:
            state["may_switch"] = True
        return is_step

    def _number_stored(self, thread: int) -> None:
        """Number a dict or list that this thread has put into an attribute, before another can come to it first."""
        stored = self._threads.__dict__.pop("stored", None)
        if stored is not None and stored[0] is not None and type(value := _peek(*stored)) in _CONTAINERS:
            self.number(value, thread)

    # frontrun does not know what a function returned, which need not be put into a variable
    # before it is looked into. Only what a call itself runs counts: not what that calls from C.

    def _note_returns(self, instruction: Any, frame: Any, stack: Any) -> None:
        state = self._threads.__dict__
        if instruction.opname in observer._CALL_OPCODES:
            operands = [stack.peek(depth) for depth in range((instruction.arg or 0) + 3)]
            functions = [it.__func__ if type(it) is MethodType else it for it in operands]
            codes = {it.__code__ for it in functions if type(it) is FunctionType}
            state.setdefault("called", {})[id(frame)] = codes
        elif instruction.opname == "RETURN_VALUE" and frame.f_back is not None:
            is_called = frame.f_code in state.get("called", {}).get(id(frame.f_back), ())
            state["returned"] = (frame.f_back, stack.peek(0)) if is_called else None

    def _take_returned(self, frame: Any, stack: Any) -> None:
        returned = self._threads.__dict__.get("returned")
        if returned is not None and returned[0] is frame:
            self._threads.__dict__["returned"] = None
            if stack.stack and stack.stack[-1] is None:
                stack.stack[-1] = returned[1]

    def wait_for_turn(self, scheduler: Any, thread: int) -> bool:
        """Have it decided which thread goes on, and wait until it is this one; return False if the run is off.

        frontrun decides when a turn begins, and counts on the interpreter not to switch before the bytecode is
        executed. Here it is decided when a turn ends, and all that was touched in it is known.
        """
        state = self._threads.__dict__
        _scheduler_tls._in_dpor_machinery = True
        try:
            with scheduler._condition:
                if state.get("has_begun"):
                    scheduler._current_thread = scheduler._schedule_next()
                    scheduler._condition.notify_all()
                state["has_begun"] = True
                while scheduler._current_thread != thread and not scheduler._error:
                    if scheduler._reschedule_done_current_unlocked():
                        continue
                    if scheduler._current_thread is None:
                        done = sorted(scheduler._threads_done)
                        scheduler._error = Stuck(f"nobody can go on, and only the threads {done} are done")
                        scheduler._condition.notify_all()
                        continue
                    if not scheduler._condition.wait(scheduler.deadlock_timeout):
                        scheduler._error = TimeoutError(f"thread {scheduler._current_thread} does not go on")
                        scheduler._condition.notify_all()
                return not scheduler._error
        finally:
            _scheduler_tls._in_dpor_machinery = False

    def report(
        self, engine: Any, execution: Any, thread: int, obj: Any, name: Any, lock: Any, _: Any, kind: str
    ) -> None:
        """Stand in for frontrun's `_report_access`: tell the engine of a place that is read or written."""
        if kind == "weak_read":
            return
        # Of a container, frontrun tells of the key as well.
        if kind == "read" and name != "__cmethods__" and issubclass(type(obj), (*_CONTAINERS, type)):
            return
        if name == "__dict__" or (place := self._place(obj, name, thread)) is None:
            return
        kind_of_place = self._kind(obj, place)
        writes = kind in ("write", "weak_write")
        with lock:
            visits = self._visits.setdefault(place, {})
            visits[thread] = visits.get(thread, False) or writes
            if kind_of_place in self._meeting_places:
                engine.report_access(execution, thread, hash(place) & 0xFFFF_FFFF_FFFF_FFFF, _ACCESSES[writes])
            elif len(visits) > 1 and any(visits.values()):
                self._meeting_places.add(kind_of_place)
                self.has_learned = True


@dataclass
class Exploration:
    """What came of running threads in every order.

    `interleavings` is how many were run, `outcomes` what came of each, `seconds` how long it took
    the processor.
    """

    interleavings: int = 0
    outcomes: list[Any] = field(default_factory=list)
    seconds: float = 0.0


def explore(
    setup: Callable[[], Any],
    workers: Sequence[Callable[[Any], object]],
    check: Callable[[Any], Any],
    *,
    roots: Callable[[Any], Sequence[object]],
    files: tuple[str, ...],
    every_bytecode: bool = True,
    own_order: bool = True,
    gates_in: Any = None,
    unread: Sequence[object] = (),
    limit: int = LIMIT,
) -> Exploration:
    """Run the workers, each in a thread, in every order that matters; return what came of it.

    Parameters:
        setup: makes anew what the threads share.
        workers: what each thread does, given that.
        check: given that after each run, raises AssertionError if it is wrong, or returns what came of the run.
        roots: given that, returns the objects through which all that the threads share is reached.
        files: the beginnings of the names of the files whose code is run bytecode by bytecode, the rest being
            run as if each call were one.
        every_bytecode: see `AccessObserver`.
        own_order: whether `Order` decides which thread goes on; else frontrun's engine does.
        gates_in: the module whose `allocate_lock` makes the locks at which threads may wait; see `gates.py`.
        unread: see `AccessObserver`.
        limit: the number of interleavings after which to give up.

    Raises:
        AssertionError: `check` raised it for some order, or the orders were not all run, or a thread waited.
    """
    accesses = AccessObserver(every_bytecode=every_bytecode, unread=unread)
    gates = Gates(accesses)
    exploration = Exploration()
    is_exhausted = False
    begin = time.process_time()

    def see_it_through(**arguments: Any) -> Iterator[Any]:
        nonlocal is_exhausted
        for step in engine_room_iter(**arguments):
            yield step
            if accesses.has_learned:
                return
            assert not gates.stuck, gates.stuck
            assert not waits, f"a thread waited for another ({waits[0]})"
            assert not step.execution.aborted, "frontrun gave up on a run that has too many steps"
            assert exploration.interleavings < limit, f"not done after {limit} interleavings"
        is_exhausted = True

    engine_room_iter = engine_room.dpor_exploration_iter

    def make() -> Any:
        if exploration.interleavings % 500 == 0:
            gc.collect()
        made = setup()
        accesses.look_at(roots(made))
        return made

    def look(made: Any) -> bool:
        if accesses.has_learned:
            return True
        outcome = check(made)
        if orders and orders[-1].is_redundant:
            redundant.append(outcome)
        else:
            exploration.interleavings += 1
            exploration.outcomes.append(outcome)
        return True

    def new_order(*, num_threads: int, **_: Any) -> Order:
        orders.append(Order(num_threads))
        return orders[-1]

    def on_sync(reporter: Any) -> None:
        # By this frontrun's locks and events tell that a thread waits.
        def report(event: str, *arguments: Any) -> None:
            if event in ("lock_wait", "event_wait"):
                waits.append(event)
            reporter(event, *arguments)

        set_sync_reporter(reporter and report)

    orders: list[Order] = []
    waits: list[str] = []
    redundant: list[Any] = []
    set_sync_reporter = runner_module.set_sync_reporter
    gc.collect()
    with contextlib.ExitStack() as stack:
        # What is collected in the middle of a run may have finalizers, which would be steps of some runs only.
        gc.disable()
        stack.callback(gc.enable)
        for module, name, ours in (
            (observer, "_safe_getattr", _peek),
            (observer, "_report_access", accesses.report),
            (observer, "_should_trace_file", lambda name: name.startswith(files)),
            (observer, "_C_METHOD_READ_ONLY", observer._C_METHOD_READ_ONLY | {"__get__"}),
            (runner_module, "process_opcode_with_coarsening", accesses.step),
            (runner_module, "set_sync_reporter", on_sync),
            (engine_room, "dpor_exploration_iter", see_it_through),
            (engine_room, "clear_instr_cache", lambda: None),  # so as not to take the code apart anew in each run
        ):
            stack.enter_context(mock.patch.object(module, name, ours))
        if gates_in is not None:
            stack.enter_context(mock.patch.object(gates_in, "allocate_lock", gates))
        if own_order:
            stack.enter_context(mock.patch.object(engine_room, "make_dpor_engine", new_order))
        stack.enter_context(mock.patch.object(observer, "isinstance", _is, create=True))
        stack.enter_context(mock.patch.object(observer.StableObjectIds, "pre_register"))
        # frontrun wants to be asked for by its own command, which is for what is not used here.
        stack.enter_context(mock.patch.dict(os.environ, {"FRONTRUN_ACTIVE": "1"}))
        while not is_exhausted:
            accesses.has_learned = False
            exploration = Exploration()
            redundant.clear()
            result = frontrun.explore(
                make,
                list(workers),
                look,
                preemption_bound=None,
                detect_io=False,
                reproduce_on_failure=0,
            )
            result.assert_holds()
    assert all(outcome in exploration.outcomes for outcome in redundant), (
        f"missed {[it for it in redundant if it not in exploration.outcomes]}"
    )
    exploration.seconds = time.process_time() - begin
    return exploration
