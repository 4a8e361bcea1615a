"""Choose the orders of the threads' turns, so that every order that matters is run, and hardly any twice."""

from __future__ import annotations

from typing import Any

#: What a turn touches: the numbers of the places, and whether it writes there.
Accesses = dict[int, bool]


def _depend(one: Accesses, other: Accesses) -> bool:
    return any(writes or other[place] for place, writes in one.items() if place in other)


class Turn:
    """A node of the tree of all runs: one turn of a thread, and what else could come in its place."""

    def __init__(self, threads: list[int], sleeping: dict[int, Accesses], chosen: int) -> None:
        self.threads = threads
        #: The threads whose turn here would be one that was seen elsewhere, and what they would touch.
        self.sleeping = sleeping
        self.chosen = chosen
        #: What the chosen thread touches: the places, and whether it writes there.
        self.accesses: Accesses = {}
        self.clock: dict[int, int] = {}
        self.to_do = {chosen}
        self.done: dict[int, Accesses] = {}
        #: The turn without which this could not have been.
        self.enabled_by = -1


class Order:
    """What decides which thread goes on: dynamic partial order reduction, with sleep sets.

    It has the methods of frontrun's engine, in whose place it is put.

    A run is a list of turns. Two turns of different threads are dependent if they touch one place, and one writes.
    For each, the earlier ones are found on which it depends, and that nothing in between puts before it: in another
    run the two must come the other way round, so there a thread must go first with which such a run can begin. A
    thread that had gone first sleeps, in the runs that begin otherwise, until a turn comes on which its own depends.
    (This is source-DPOR: Abdulla, Aronis, Jonsson and Sagonas, Optimal Dynamic Partial Order Reduction, 2014.)
    """

    def __init__(self, num_threads: int) -> None:
        self._threads = num_threads
        self._turns: list[Turn] = []
        self._now = 0
        self._seen_to = 0
        #: Whether this run has come to where all that could follow was seen.
        self.is_redundant = False

    def begin_execution(self) -> Execution:
        self._now = 0
        self.is_redundant = False
        return Execution(self._threads)

    @property
    def path_position(self) -> int:
        return self._now

    def schedule(self, execution: Execution) -> int:
        """Return which thread has the next turn."""
        self._see_to_last()
        if self._now == len(self._turns):
            self._turns.append(self._new_turn(execution.runnable_threads()))
        turn = self._turns[self._now]
        turn.accesses = {}
        turn.enabled_by = -1
        self._now += 1
        return turn.chosen

    def _new_turn(self, threads: list[int]) -> Turn:
        if not self._turns:
            return Turn(threads, {}, threads[0])
        before = self._turns[-1]
        sleeping = {
            thread: accesses
            for thread, accesses in (before.sleeping | before.done).items()
            if thread != before.chosen and not _depend(accesses, before.accesses)
        }
        awake = [thread for thread in threads if thread not in sleeping]
        self.is_redundant = self.is_redundant or not awake
        preferred = awake or threads
        return Turn(threads, sleeping, before.chosen if before.chosen in preferred else preferred[0])

    def report_access(self, _: Execution, thread: int, place: int, kind: str) -> None:
        """Note that the thread whose turn it is touches a place."""
        turn = self._turns[self._now - 1]
        assert turn.chosen == thread
        turn.accesses[place] = turn.accesses.get(place, False) or kind == "write"

    def report_enabled(self, position: int) -> None:
        """Note that the turn could not have come before the one at `position`, which let its thread go on."""
        self._turns[self._now - 1].enabled_by = position

    def report_sync(self, *_: Any) -> None:
        """Ignore a lock: to wait for one is a fault."""

    def _see_to_last(self) -> None:
        """Find the turns on which the last one depends."""
        if self._now <= self._seen_to or self.is_redundant:
            return
        self._seen_to = self._now
        turns, now = self._turns, self._now - 1
        turn = turns[now]
        clock = next((dict(before.clock) for before in reversed(turns[:now]) if before.chosen == turn.chosen), {})
        races = []
        for position in reversed(range(now)):
            before = turns[position]
            if before.chosen != turn.chosen and _depend(before.accesses, turn.accesses):
                if clock.get(before.chosen, -1) < position and position != turn.enabled_by:
                    races.append(position)
                for other, seen in before.clock.items():
                    clock[other] = max(seen, clock.get(other, -1))
        turn.clock = clock | {turn.chosen: now}
        for position in races:
            first = self._first_instead(position, now)
            assert first <= {*turns[position].threads}, "a thread that waits cannot be first"
            if not first & turns[position].to_do:
                turns[position].to_do.add(min(first))

    def _first_instead(self, position: int, now: int) -> set[int]:
        """Return the threads, any of which may begin a run in which the turn `now` comes before that at `position`."""
        turns = self._turns

        def is_before(one: int, other: int) -> bool:
            return turns[other].clock.get(turns[one].chosen, -1) >= one

        without = [later for later in range(position + 1, now) if not is_before(position, later)] + [now]
        first: dict[int, bool] = {}
        for index, later in enumerate(without):
            if turns[later].chosen not in first:
                first[turns[later].chosen] = not any(is_before(earlier, later) for earlier in without[:index])
            if len(first) == self._threads:
                break
        return {thread for thread, can_begin in first.items() if can_begin}

    def next_execution(self) -> bool:
        """Prepare the next run; return False if there is none."""
        self._see_to_last()
        while self._turns:
            turn = self._turns[-1]
            turn.done[turn.chosen] = turn.accesses
            to_do = turn.to_do - turn.done.keys() - turn.sleeping.keys()
            if to_do:
                turn.chosen = min(to_do)
                self._seen_to = len(self._turns) - 1
                return True
            self._turns.pop()
        return False


class Execution:
    """The state of the threads in one run."""

    aborted = False

    def __init__(self, threads: int) -> None:
        self._runnable = set(range(threads))
        self.schedule_trace: list[int] = []

    def runnable_threads(self) -> list[int]:
        return sorted(self._runnable)

    def finish_thread(self, thread: int) -> None:
        self._runnable.discard(thread)

    block_thread = finish_thread

    def unblock_thread(self, thread: int) -> None:
        self._runnable.add(thread)
