"""Runs of one sequence of actions: a `PackageRun` for each implementation, and the `ModelRun` in `plain.py`.

A run holds *subjects* (cells, functions, instances, proxies), performs an action on one of them, and reports what a
user can see. The reports of all runs are comparable, because they name each object by a label that it gets when it
is first seen. The run's `log` says what happened behind the action: which initializers ran and what was discarded.
"""

from __future__ import annotations

import copy
import functools
import pickle
import re
import sys
from collections.abc import Callable, Generator
from types import GetSetDescriptorType, ModuleType
from typing import Any, NamedTuple

from support import activate, drive
from support.model.usages import CELL, PUBLIC_NAMES, Usage


class PlannedError(Exception):
    """An exception that a plan makes an initializer raise, as it may raise Python's own."""


class Escape(BaseException):
    """The same, but not a subclass of Exception."""


class Thing:
    """A value that is equal only to itself."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Thing {self.name}>"


class Hostile(Thing):
    """A value that raises an error if a cell compares it, calls it or asks for its truth."""

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


#: What an initializer may do to the instance or the class that its value is for; see `ChangingRun`.
CHANGES = ["new dict", "hide", "put back", "to Owner", "to Sub", "to Elsewhere", "to Bare"]


class Step(NamedTuple):
    """An action on a subject. `plans` are for the initializers that run during the action, in order."""

    action: str
    value: str = "None"
    plans: tuple[Plan, ...] = ()


class Plan(NamedTuple):
    """What an initializer does: some steps on its own subject; then it returns or raises what `ends` names."""

    steps: tuple[Step, ...] = ()
    ends: str = "new"


class Later:
    """What `discard` returns where it is awaited."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __await__(self) -> Generator[Any, Any, Any]:
        self.action()
        return iter(())  # type: ignore[return-value]


class Run:
    """What the runs have in common: the labels, the log, and what initializers and `discard` do."""

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
        """Return the label of `thing`, which is the same in every run."""
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
        """Add a subject to the run; return the object that a user holds."""
        self.subjects.append(subject)
        self.label(subject.it, f"subject {len(self.subjects)}")
        return subject.it

    def value(self, name: str) -> Any:
        if name == "new":
            return Thing("new")
        if name == "itself":
            # A copy of anything else would go in circles, or bring an owner's repr into it.
            return self.current.it if self.current.usage.copies == "own" else None
        return CONSTANTS[name] if name in CONSTANTS else self.shared[name]

    # What the code under test calls.

    def make(self, owner: object) -> Any:
        """Act as the initializer: do what is planned next."""
        self.log.append(("runs for", self.label(owner)))
        plan = self.plans.pop(0) if self.plans else Plan()
        usage = self.current.usage
        impossible = {
            **dict.fromkeys(("touch", *CHANGES), False),
            "assign": not usage.assigned,
            "delete": not usage.assigned,
        }
        for step in plan.steps:
            if not impossible.get(step.action, not usage.cell):
                self.log.append(self.outcome(self.current, step))
        if plan.ends not in ERRORS:
            return self.value(plan.ends)
        error = ERRORS[plan.ends]("planned")
        self.label(error)
        raise error

    def look(self, value: object) -> None:
        """Log a value that an initializer has read."""
        self.log.append(("looks at", self.label(value)))

    def discard(self, value: object) -> Any:
        self.log.append(("discards", self.label(value)))
        if self.discards == "takes" and not self.is_discarding:
            self.is_discarding = True
            self.log.append(self.outcome(self.current, Step("take" if self.current.usage.cell else "touch")))
            self.is_discarding = False
        if self.discards == "raises":
            raise PlannedError("discard")
        return Later(lambda: self.log.append(("waited",))) if self.discards == "awaited" else None

    def unraisable(self, report: Any) -> None:
        self.log.append(("unraisable", report.exc_type.__name__, str(report.exc_value), report.err_msg))

    # What the machine calls.

    def step(self, which: int, step: Step) -> tuple[object, ...]:
        """Perform an action on a subject; return everything that a user can see of it."""
        hook, sys.unraisablehook = sys.unraisablehook, self.unraisable
        try:
            return (self.outcome(self.subjects[which % len(self.subjects)], step), *self.log)
        finally:
            sys.unraisablehook = hook
            self.log.clear()

    def outcome(self, subject: Any, step: Step) -> tuple[str, ...]:
        """Return how an action ends: the value; or the exception, its cause, and the value that a cell rejected."""
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

    def act_inside(self, subject: Any, step: Step) -> None:
        """Perform the steps of the first plan, inside an override or an isolation. The other plans are for them."""
        inside, *plans = step.plans
        for inner in inside.steps:
            if inner.action == "touch" or subject.usage.cell:
                self.log.append(self.outcome(subject, inner._replace(plans=tuple(plans))))

    def seen(self) -> list[dict[str, str]]:
        """Return what each subject shows while nothing is done to it."""
        shown = [{plain(name): value for name, value in self.show(subject).items()} for subject in self.subjects]
        return [{name: self.label(values[name]) for name in sorted(values)} for values in shown]

    def show(self, subject: Any) -> dict[str, object]:
        raise NotImplementedError

    def close(self) -> None:
        """Remove what the run has left in the interpreter."""


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except PlannedError:
        return "its text cannot be made"


def plain(text: str) -> str:
    """Return a message or a name without the parts that differ between runs."""
    # Of a deadlock, the threads and functions.
    text = re.sub(r"(waiting would never end|is being initialized by).*", r"\1", text)
    # What PyPy says of an attribute that is not there to be deleted, where its class has a descriptor.
    text = re.sub(r"object attribute '(\w+)' is read-only", r"object has no attribute '\1'", text)
    text = re.sub(r"<[\w.]*(Owner|Sub) object at 0x[0-9a-fA-F]+>", r"<\1>", text)
    return re.sub(r" [0-9a-f]{16}$|gilonce_run_\w+", "", text)


class Subject(NamedTuple):
    usage: Usage
    it: Any


class PackageRun(Run):
    """A run on one implementation of gilonce, or on a broken copy of it.

    Parameters:
        name: makes the name of the run's module unique.
        package: the module with the public names.
    """

    def __init__(self, name: str, package: Any, usage: Usage, discards: str) -> None:
        super().__init__(discards)
        self.package = package
        # A module, so that what is defined there is found by name, as pickle must.
        self.module = ModuleType(f"gilonce_run_{name}")
        self.namespace = vars(self.module)
        sys.modules[self.module.__name__] = self.module
        self.namespace.update({name: getattr(package, name) for name in PUBLIC_NAMES})
        self.namespace.update(run=self, make=self.make, look=self.look, drive=drive, partial=functools.partial)
        exec("def discard(value):\n    return run.discard(value)", self.namespace)
        if discards == "none":
            self.namespace["discard"] = None
        # What the package imports late, it finds by name.
        with activate(package.__implementation__):
            exec(compiled(usage.source, "exec"), self.namespace)
            for subject in usage.subjects:
                self.add(Subject(usage, self.eval(subject)))

    def close(self) -> None:
        del sys.modules[self.module.__name__]

    def eval(self, expression: str, it: Any = None) -> Any:
        return eval(compiled(expression, "eval"), self.namespace, {"it": it})

    def show(self, subject: Subject) -> dict[str, object]:
        shown: dict[str, object] = self.eval(subject.usage.shows, subject.it)
        if subject.usage.cell:
            value = self.eval(subject.usage.cell, subject.it).get(self)
            shown = shown if value is self else {**shown, "the cell": value}
        return shown

    def act(self, subject: Subject, step: Step) -> Any:
        usage, it = subject
        if step.action == "touch":
            return self.eval(usage.touch, it)
        if step.action == "copy":
            copied = self.copied(it, step.value)
            return self.add(Subject(usage, copied)) if usage.copies in ("own", "shared") else copied
        # What the package imports late, it finds by name.
        if step.action == "isolated":
            with activate(self.package.__implementation__), self.package.testing.isolated():
                self.act_inside(subject, step)
            return None
        if step.action == "override":
            cell, value = self.eval(usage.cell, it), self.value(step.value)
            with activate(self.package.__implementation__), cell.override(value) as given:
                self.act_inside(subject, step)
            return given
        if step.action == "assign":
            it.thing = self.value(step.value)
            return None
        if step.action == "delete":
            del it.thing
            return None
        if step.action == "repr":
            return repr(it)
        return self.act_on_cell(self.eval(usage.cell, it), step)

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


#: Classes that an instance of `Owner` may change to. One has its own `__dict__`, one does not have the attribute.
OTHER_CLASSES = """
class Sub(Owner):
    __slots__ = ()

class Elsewhere(Owner):
    __slots__ = ()
    namespaces = {}

    @property
    def __dict__(self):
        return self.namespaces.setdefault(id(self), {})

class Bare:
    __slots__ = tuple(Owner.__dict__.get("__slots__", ("__dict__", "__weakref__")))
"""


class ChangingRun(PackageRun):
    """A run in which instances change their class and their `__dict__`, and classes their attributes."""

    def __init__(self, name: str, package: Any, usage: Usage, discards: str) -> None:
        super().__init__(name, package, usage, discards)
        exec(compiled(OTHER_CLASSES, "exec"), self.namespace)
        self.hidden = vars(self.namespace["Owner"])["thing"]

    def act(self, subject: Subject, step: Step) -> Any:
        if step.action not in CHANGES:
            return super().act(subject, step)
        if subject.usage is CELL:
            return None
        if step.action == "new dict":
            subject.it.__dict__ = {}
        elif step.action == "hide":
            self.namespace["Owner"].thing = None
        elif step.action == "put back":
            self.namespace["Owner"].thing = self.hidden
        else:
            subject.it.__class__ = self.namespace[step.action.removeprefix("to ")]
        return None

    def show(self, subject: Subject) -> dict[str, object]:
        try:
            shown = super().show(subject)
        except Exception as error:
            shown = {"error": type(error)}
        # What is behind a class's own `__dict__`.
        entries = [vars(cls).get("__dict__") for cls in type(subject.it).__mro__]
        kept = [it.__get__(subject.it) for it in entries if isinstance(it, GetSetDescriptorType)]
        return {**shown, **{f"kept: {name}": kept[0][name] for name in dict(*kept) if not name.endswith(" cell")}}


@functools.cache
def compiled(text: str, mode: str) -> Any:
    return compile(text, "<a run>", mode)


COPYING: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
    "pickle of protocol 2": lambda it: pickle.loads(pickle.dumps(it, 2)),
}
