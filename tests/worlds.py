"""Worlds that live through the same sequences: one for each implementation here, the model's in `plain_model`.

A world holds *subjects* (cells, functions, instances, proxies), lets an action befall one of
them, and says what was to be seen. Nothing that is said depends on which world it was in: an
object is called by a label, which it gets when it is first seen. What happened behind the
action (what ran, what was discarded) is in the world's `log`.
"""

from __future__ import annotations

import copy
import functools
import pickle
import re
import sys
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any, NamedTuple

from kinds import CELL, PUBLIC_NAMES, Kind
from support import activate, drive


class PlannedError(Exception):
    """What an initializer is told to raise, beside exceptions of Python's own."""


class Escape(BaseException):
    """The same, not an Exception."""


class Thing:
    """A value which is told apart by nothing but what it is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Thing {self.name}>"


class Hostile(Thing):
    """A value that a cell does well not to look at."""

    def refuse(self, *_: object) -> Any:
        raise Escape("the value was looked at")

    __eq__ = __bool__ = __hash__ = __len__ = __call__ = __get__ = __set_name__ = refuse


class Stuck(Thing):
    """A value that can be neither copied nor pickled, and has no repr."""

    def __repr__(self) -> str:
        raise PlannedError("no repr")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise PlannedError("no copy")


ERRORS = {
    error.__name__: error
    for error in (
        PlannedError,
        Escape,
        AttributeError,
        KeyError,
        StopIteration,
        GeneratorExit,
        KeyboardInterrupt,
        TypeError,
    )
}
#: Values by name. "new" is another one each time; "itself" is the subject.
CONSTANTS: dict[str, Any] = {
    "None": None,
    "False": False,
    "True": True,
    "zero": 0,
    "nothing": (),
    "NotImplemented": NotImplemented,
}
SHARED = {"shared": Thing, "hostile": Hostile, "stuck": Stuck}
VALUES = [*CONSTANTS, *SHARED, "new", "itself"]


class Step(NamedTuple):
    """An action upon a subject. `plans` are for the initializers that run meanwhile, in turn."""

    action: str
    value: str = "None"
    plans: tuple[Plan, ...] = ()


class Plan(NamedTuple):
    """What an initializer does: some steps upon its own subject, then it returns or raises what `ends` names."""

    steps: tuple[Step, ...] = ()
    ends: str = "new"


class Later:
    """What `discard` returns where it is awaited."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __await__(self) -> Generator[Any, Any, Any]:
        self.action()
        return iter(())  # type: ignore[return-value]


class World:
    """What all worlds have in common: the labels, the log, and what initializers and `discard` do."""

    def __init__(self, discards: str) -> None:
        self.discards = discards
        self.log: list[object] = []
        self.subjects: list[Any] = []
        #: The subject on which an action is under way, and what is planned for its initializers.
        self.current: Any = None
        self.plans: list[Plan] = []
        self.is_discarding = False
        self.labels: dict[int, tuple[str, object]] = {}
        self.shared = {name: make(name) for name, make in SHARED.items()}
        for name, value in {**CONSTANTS, **self.shared}.items():
            self.label(value, name)

    def label(self, thing: object, label: str = "") -> str:
        """Return what `thing` is called in every world."""
        if id(thing) not in self.labels:
            # The object is kept, so that its `id` stays its own.
            self.labels[id(thing)] = (label or f"object {len(self.labels)}", thing)
        return self.labels[id(thing)][0]

    def known(self, thing: object) -> str:
        return self.labels[id(thing)][0] if id(thing) in self.labels else "unknown"

    def describe(self, result: object) -> str:
        """Return what an action has returned: text as such, everything else by its label."""
        return plain(result) if type(result) is str else self.label(result)

    def add(self, subject: Any) -> Any:
        """Take in a subject; return what it is in the hands of a user."""
        self.subjects.append(subject)
        self.label(subject.it, f"subject {len(self.subjects)}")
        return subject.it

    def value(self, name: str) -> Any:
        if name == "new":
            return Thing("new")
        if name == "itself":
            # A copy of anything else would go in circles, or bring an owner's repr into it.
            return self.current.it if self.current.kind.copies == "own" else None
        return CONSTANTS[name] if name in CONSTANTS else self.shared[name]

    # What the code under test calls.

    def make(self, owner: object) -> Any:
        """Be the initializer: do what is planned next."""
        self.log.append(("runs for", self.label(owner)))
        plan = self.plans.pop(0) if self.plans else Plan()
        kind = self.current.kind
        impossible = {"touch": False, "assign": not kind.assigned, "delete": not kind.assigned}
        for step in plan.steps:
            if not impossible.get(step.action, not kind.cell):
                self.log.append(self.outcome(self.current, step))
        if plan.ends not in ERRORS:
            return self.value(plan.ends)
        error = ERRORS[plan.ends]("planned")
        self.label(error)
        raise error

    def look(self, value: object) -> None:
        """Note a value that an initializer has come by."""
        self.log.append(("looks at", self.label(value)))

    def discard(self, value: object) -> Any:
        self.log.append(("discards", self.label(value)))
        if self.discards == "takes" and not self.is_discarding:
            self.is_discarding = True
            self.log.append(self.outcome(self.current, Step("take" if self.current.kind.cell else "touch")))
            self.is_discarding = False
        if self.discards == "raises":
            raise PlannedError("discard")
        return Later(lambda: self.log.append(("waited",))) if self.discards == "awaited" else None

    def unraisable(self, report: Any) -> None:
        self.log.append(("unraisable", report.exc_type.__name__, str(report.exc_value), report.err_msg))

    # What the machine calls.

    def step(self, which: int, step: Step) -> tuple[object, ...]:
        """Let something happen to a subject; return all that was to be seen."""
        hook, sys.unraisablehook = sys.unraisablehook, self.unraisable
        try:
            return (self.outcome(self.subjects[which % len(self.subjects)], step), *self.log)
        finally:
            sys.unraisablehook = hook
            self.log.clear()

    def outcome(self, subject: Any, step: Step) -> tuple[str, ...]:
        """Return how an action ends: with a value, or with an exception, its cause, and what a cell rejected."""
        before = self.current, self.plans
        self.current, self.plans = subject, list(step.plans)
        try:
            return "returns", self.describe(self.act(subject, step))
        except BaseException as error:
            rejected = self.label(error.value) if hasattr(error, "value") else ""
            known = self.known(error), self.known(error.__cause__)
            return "raises", type(error).__name__, plain(text_of(error)), rejected, *known
        finally:
            self.current, self.plans = before

    def act(self, subject: Any, step: Step) -> Any:
        raise NotImplementedError

    def seen(self) -> list[dict[str, str]]:
        """Return what each subject shows without anything being done to it."""
        shown = [{plain(name): value for name, value in self.show(subject).items()} for subject in self.subjects]
        return [{name: self.label(values[name]) for name in sorted(values)} for values in shown]

    def show(self, subject: Any) -> dict[str, object]:
        raise NotImplementedError

    def close(self) -> None:
        """Leave nothing behind."""


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except PlannedError:
        return "its text cannot be made"


def plain(text: str) -> str:
    """Return a message or a name without what tells one world, or one run, from another."""
    # Of a deadlock, the threads and functions.
    text = re.sub(r"(waiting would never end|is being initialized by).*", r"\1", text)
    # What PyPy says of an attribute that is not there to be deleted, where its class has a descriptor.
    text = re.sub(r"object attribute '(\w+)' is read-only", r"object has no attribute '\1'", text)
    text = re.sub(r"<[\w.]*(Owner|Sub) object at 0x[0-9a-fA-F]+>", r"<\1>", text)
    return re.sub(r" [0-9a-f]{16}$|gilonce_world_\w+", "", text)


class Subject(NamedTuple):
    kind: Kind
    it: Any


class RealWorld(World):
    """A world of an implementation of gilonce, or of what is to take its place.

    Parameters:
        name: tells its module from those of other worlds.
        package: has the public names.
    """

    def __init__(self, name: str, package: Any, kind: Kind, discards: str) -> None:
        super().__init__(discards)
        self.package = package
        # A module, so that what is defined there is found by name, as pickle must.
        self.module = ModuleType(f"gilonce_world_{name}")
        self.namespace = vars(self.module)
        sys.modules[self.module.__name__] = self.module
        self.namespace.update({name: getattr(package, name) for name in PUBLIC_NAMES})
        self.namespace.update(world=self, make=self.make, look=self.look, drive=drive, partial=functools.partial)
        exec("def discard(value):\n    return world.discard(value)", self.namespace)
        if discards == "none":
            self.namespace["discard"] = None
        # What the package imports late, it finds by name.
        with activate(package.__implementation__):
            exec(compiled(kind.source, "exec"), self.namespace)
            for subject in kind.subjects:
                self.add(Subject(kind, self.eval(subject)))

    def close(self) -> None:
        del sys.modules[self.module.__name__]

    def eval(self, expression: str, it: Any = None) -> Any:
        return eval(compiled(expression, "eval"), self.namespace, {"it": it})

    def show(self, subject: Subject) -> dict[str, object]:
        shown: dict[str, object] = self.eval(subject.kind.shows, subject.it)
        if subject.kind.cell:
            value = self.eval(subject.kind.cell, subject.it).get(self)
            shown = shown if value is self else {**shown, "the cell": value}
        return shown

    def act(self, subject: Subject, step: Step) -> Any:
        kind, it = subject
        if step.action == "touch":
            return self.eval(kind.touch, it)
        if step.action == "copy":
            copied = self.copied(it, step.value)
            return self.add(Subject(kind, copied)) if kind.copies in ("own", "shared") else copied
        if step.action == "assign":
            it.thing = self.value(step.value)
            return None
        if step.action == "delete":
            del it.thing
            return None
        if step.action == "repr":
            return repr(it)
        return self.act_on_cell(self.eval(kind.cell, it), step)

    def act_on_cell(self, cell: Any, step: Step) -> Any:
        async def make() -> Any:
            return self.make(None)

        if step.action == "copy of the cell":
            return self.add(Subject(CELL, self.copied(cell, step.value)))
        if step.action == "get_or_init":
            return cell.get_or_init(functools.partial(self.make, None))
        if step.action == "aget_or_init":
            return drive(cell.aget_or_init(make))
        if step.action == "import_attr":
            return cell.import_attr("decimal", step.value)
        if step.action == "misuse":
            return cell.get_or_init(7)
        if step.action == "repr of the cell":
            return repr(cell)
        if step.action == "is_set":
            return cell.is_set()
        return getattr(cell, step.action)(self.value(step.value))

    def copied(self, it: Any, how: str) -> Any:
        if "pickle" not in how:
            return COPYING[how](it)
        # Pickle finds the classes of an implementation by name.
        with activate(self.package.__implementation__):
            return COPYING[how](it)


@functools.cache
def compiled(text: str, mode: str) -> Any:
    return compile(text, "<a world>", mode)


COPYING: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
    "pickle of protocol 2": lambda it: pickle.loads(pickle.dumps(it, 2)),
}
