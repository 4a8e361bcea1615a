"""Running threads in every order that matters: frontrun's DPOR engine, made to see what gilonce does.

frontrun runs threads one at a time, and lets the next go on before each bytecode that touches shared memory. It
notes what each touches, and runs the program again and again, until every two conflicting accesses have come in
either order. That is every interleaving up to the order of steps that do not concern each other: if frontrun sees
all that is shared. As it comes, it does not see what matters here, and disturbs what it looks at:

* It does not look into a slot, so it sees nothing of a dict that is in one, as that of a cell is. Nor does it take
  for one place an instance and its `__dict__`, nor know `in`, nor that a slot's descriptor reads and writes.
* To find out what an attribute is, it reads it. That would compute a `once_property` before the threads get to it.
  It asks objects for their `__class__`, which touches a lazy proxy.
* It numbers what `setup` does not lead to by who comes first, which differs between the runs that it compares.

* It runs orders that differ in nothing: of two threads that each read a place five times and then write there, 924
  where 12 differ.

So its eyes are replaced here, see `Eyes`, and what chooses the next order, see `partial_order.py`. What makes the
interpreter stop before a bytecode, follows its stack, runs the threads and stands in for their locks is its own.
`tests/test_interleavings.py` shows that nothing is missed: broken cells are found out, and what the threads see is
all that a model says they may.
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
from typing import Any
from unittest import mock

import frontrun
import frontrun._dpor_runtime.explore as engine_room
import frontrun._dpor_runtime.runner as runner_room
import frontrun._opcode_observer as observer
from frontrun._cooperative import _scheduler_tls
from frontrun._deadlock import SchedulerAbort
from gates import Gates, Stuck
from partial_order import Order
from scenarios import ABORTS
from wrapt import BaseObjectProxy

ABORTS.append(SchedulerAbort)

#: How many interleavings one exploration may take; one that is not done by then has failed.
LIMIT = 10_000

#: What cannot change, or is not looked into.
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
    ClassMethodDescriptorType,
    GetSetDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
)
#: The flag of a class that was made by a class statement.
_IN_PYTHON = 1 << 9
_KINDS = ("read", "write")
_CONTAINERS = (dict, list, set)
#: What is found in a class and may be asked for its value without running any bytecode.
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
_SUBSCRIPTS = ("BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR")


def _is(obj: object, types: Any) -> bool:
    """Stand in for `isinstance`, which would ask the object for its `__class__`."""
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
    """Return whether to load an attribute of `obj` is to look up a method, or what a class has that nobody changes."""
    return opcode.startswith("LOAD") and issubclass(type(obj), (*_CONTAINERS, type, MappingProxyType))


class Eyes:
    """What of the memory is shared, and which bytecode touches it.

    A place is a dict, a list, a set, or an attribute in a slot; an object that has a `__dict__` is the same place as
    that. That two threads are at one place where they do not really meet costs a few runs more, and
    misses nothing. (Of a class, attributes count that are reached through its namespace, as gilonce's are.)

    A bytecode is a step, before which threads may switch, if it touches a place at which threads meet, of whom one
    writes. Those places are learned on the way: where there is a new one, all begins anew.

    Parameters:
        every_bytecode: whether threads may switch before every bytecode, as they may without a GIL; else they
            switch where CPython with a GIL does: when a function begins, after a call, at a jump backwards.
        unread: objects in which the threads only write, each under a key of its own, and of which none is made
            to depend on what the others wrote there. They are taken for no place.
    """

    def __init__(self, *, every_bytecode: bool, unread: Sequence[object] = ()) -> None:
        self._every_bytecode = every_bytecode
        self._unread = {id(it) for it in unread}
        self._threads = threading.local()
        self._meeting_places: set[tuple[Any, ...]] = set()
        self.has_learned = False
        self.look_at(())

    def look_at(self, roots: Sequence[object]) -> None:
        """Begin a run, in which the threads share what `roots` lead to.

        A place has a number that is the same in every run. Such a place gets it here, and one that is made later
        from the thread that made it and how many that has made.
        """
        self._numbers: dict[int, tuple[int, int]] = {}
        self._made: dict[int, int] = {}
        self._visits: dict[tuple[Any, ...], dict[int, bool]] = {}
        # So that no `id` is used again within a run.
        self._kept: list[object] = []
        seen: set[int] = set()
        queue = list(roots)
        while queue:
            obj = queue.pop(0)
            cls = type(obj)
            if id(obj) in self._unread or id(obj) in seen or obj is None:
                continue
            if issubclass(cls, (str, bytes, int, float, CodeType, ModuleType)):
                continue
            seen.add(id(obj))
            self._kept.append(obj)
            if issubclass(cls, FunctionType):
                queue.extend(obj.__closure__ or ())
                continue
            if issubclass(cls, type) and not obj.__flags__ & _IN_PYTHON:
                continue
            if not issubclass(cls, (tuple, CellType, MethodType)):
                self.number(obj, thread=-1)
            if not (issubclass(cls, dict) and "__spec__" in obj):  # what a module leads to is as good as everything
                queue.extend(gc.get_referents(obj))

    def number(self, obj: Any, thread: int) -> tuple[int, int] | None:
        """Return the number of the place that `obj` is, or None if it is none."""
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
        """Return the number of the place that an attribute of `obj` is; None stands for any."""
        number = self.number(obj, thread)
        cls = type(obj)
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
        """Return what is learned of a place: of one that a thread has made, that places like it are met at."""
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
        """Stand in for frontrun's `process_opcode_with_coarsening`: let the others go on here, or not."""
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
                engine.report_access(execution, thread, hash(place) & 0xFFFF_FFFF_FFFF_FFFF, _KINDS[writes])
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
        every_bytecode: see `Eyes`.
        own_order: whether `Order` decides which thread goes on; else frontrun's engine does.
        gates_in: the module whose `allocate_lock` makes the locks at which threads may wait; see `gates.py`.
        unread: see `Eyes`.
        limit: the number of interleavings after which to give up.

    Raises:
        AssertionError: `check` raised it for some order, or the orders were not all run, or a thread waited.
    """
    eyes = Eyes(every_bytecode=every_bytecode, unread=unread)
    gates = Gates(eyes)
    exploration = Exploration()
    is_exhausted = False
    begin = time.process_time()

    def see_it_through(**arguments: Any) -> Iterator[Any]:
        nonlocal is_exhausted
        for step in engine_room_iter(**arguments):
            yield step
            if eyes.has_learned:
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
        eyes.look_at(roots(made))
        return made

    def look(made: Any) -> bool:
        if eyes.has_learned:
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
    set_sync_reporter = runner_room.set_sync_reporter
    gc.collect()
    with contextlib.ExitStack() as stack:
        # What is collected in the middle of a run may have finalizers, which would be steps of some runs only.
        gc.disable()
        stack.callback(gc.enable)
        for room, name, ours in (
            (observer, "_safe_getattr", _peek),
            (observer, "_report_access", eyes.report),
            (observer, "_should_trace_file", lambda name: name.startswith(files)),
            (observer, "_C_METHOD_READ_ONLY", observer._C_METHOD_READ_ONLY | {"__get__"}),
            (runner_room, "process_opcode_with_coarsening", eyes.step),
            (runner_room, "set_sync_reporter", on_sync),
            (engine_room, "dpor_exploration_iter", see_it_through),
            (engine_room, "clear_instr_cache", lambda: None),  # so as not to take the code apart anew in each run
        ):
            stack.enter_context(mock.patch.object(room, name, ours))
        if gates_in is not None:
            stack.enter_context(mock.patch.object(gates_in, "allocate_lock", gates))
        if own_order:
            stack.enter_context(mock.patch.object(engine_room, "make_dpor_engine", new_order))
        stack.enter_context(mock.patch.object(observer, "isinstance", _is, create=True))
        stack.enter_context(mock.patch.object(observer.StableObjectIds, "pre_register"))
        # frontrun wants to be asked for by its own command, which is for what is not used here.
        stack.enter_context(mock.patch.dict(os.environ, {"FRONTRUN_ACTIVE": "1"}))
        while not is_exhausted:
            eyes.has_learned = False
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
