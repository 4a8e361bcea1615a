"""Mistakes in `OnceLock`, and in the search for deadlocks: `_cells/exclusive.py` and `_cells/wait_graph.py`."""

from __future__ import annotations

from mutant import FORK, FRONTRUN, Mutant

LOCK = "cells/test_exclusive.py::test_"
WAITS = "cells/test_wait_graph.py::test_"
TASKS = "cells/test_exclusive_async.py::test_"
TRIO = "cells/test_exclusive_trio.py::test_"
ONE_RUN = LOCK + "the_initializer_runs_once_and_all_get_its_object[{}-cell]"
TAKES_OVER = LOCK + "of_those_who_wait_exactly_one_takes_over_from_one_that_fails[{}-cell]"
OWN_CELL = LOCK + "an_initializer_that_reaches_its_own_cell_is_told_at_once[{}-cell]"
SEEN_TWICE = "cells/test_wait_graph.py::test_of_two_that_see_a_cycle_at_once_the_earlier_raises[{}-0]"
TOO_LONG = LOCK + "who_has_waited_too_long_is_told_and_the_cell_is_untouched[{}-cell]"
OUTCOME = LOCK + "set_waits_for_the_outcome[{}-%s]"
IN_LOOP = TASKS + "a_thread_that_would_block_for_a_task_of_its_own_loop_is_told[{}]"
TASKS_IN_CYCLE = TASKS + "two_tasks_in_a_cycle_are_told_apart_from_two_that_are_not[{}]"
CANCELLED = TASKS + "a_leader_that_is_cancelled_or_fails_passes_the_work_on[{}-async_cell]"
CANNOT_WAIT = (
    "cells/test_callables.py::test_a_partial_that_initializes_is_described_to_those_who_cannot_wait_for_it[{}]"
)
HANGS = "laws/test_hangs.py::test_"
INTERRUPTED = HANGS + "a_lock_goes_on_or_tells[{}-%s]"
EXPLORED = (
    "laws/test_interleavings_waiting.py::test_every_interleaving_gives_what_the_model_gives_and_nobody_is_stuck[%s]"
)

MUTANTS = [
    Mutant(
        "an initializer that takes too long must have a name",
        "_cells/exclusive.py",
        "waited {timeout} s for {name_of(running.initializer)}",
        "waited {timeout} s for {running.initializer.__qualname__}",
        (CANNOT_WAIT,),
    ),
    Mutant(
        "an initializer for which a task of another loop would wait must have a name",
        "_cells/exclusive.py",
        "is being initialized by {name_of(running.initializer)}",
        "is being initialized by {running.initializer.__qualname__}",
        (CANNOT_WAIT,),
    ),
    Mutant(
        "the leader drops its attempt before the value is published",
        "_cells/exclusive.py",
        "                        return compute()\n",
        "                        mine.end()\n                        return compute()\n",
        (EXPLORED % "cell with OnceLock: touch | touch",),
        hangs=True,
        needs=FRONTRUN,
    ),
    Mutant(
        "the leader does not look again after it has entered",
        "_cells/exclusive.py",
        "        return GILOnceCell._fill(self, initializer) if value is EMPTY else value",
        "        return GILOnceCell._fill(self, initializer)",
        (EXPLORED % "cell with OnceLock: touch | touch",),
        needs=FRONTRUN,
    ),
    Mutant(
        "a leader among tasks does not look again after it has entered",
        "_cells/exclusive.py",
        "                        if value is EMPTY:\n                            value, _ = self._publish(await",
        "                        if True:\n                            value, _ = self._publish(await",
        (TASKS + "a_task_that_enters_after_another_has_published_does_not_initialize[{}]",),
    ),
    Mutant(
        "a leader among tasks that fails keeps its attempt",
        "_cells/exclusive.py",
        "                finally:\n                    mine.end()\n            finally:\n                mine.end()\n"
        "            await self._await",
        "                except ValueError:\n                    raise\n"
        "            except BaseException:\n                raise\n            mine.end()\n"
        "            await self._await",
        (CANCELLED,),
        hangs=True,
    ),
    Mutant(
        "a leader among tasks that is interrupted where its attempt ends keeps it",
        "_cells/exclusive.py",
        "            finally:\n                mine.end()\n            await self._await",
        "            finally:\n                pass\n            await self._await",
        (INTERRUPTED % "interrupt_of_a_task",),
    ),
    Mutant(
        "a task that is interrupted where its wait ends stays entered",
        "_cells/exclusive.py",
        "            finally:\n                wait.leave()\n        finally:\n            wait.leave()\n",
        "            finally:\n                wait.leave()\n        finally:\n            pass\n",
        (INTERRUPTED % "interrupt_of_a_task_that_waits",),
    ),
    Mutant(
        "those who wait are not woken",
        "_cells/wait_graph.py",
        "            wait.wake()\n",
        "            pass\n",
        (TAKES_OVER,),
        hangs=True,
    ),
    Mutant(
        "only one of those who wait is woken",
        "_cells/wait_graph.py",
        "            wait.wake()\n",
        "            wait.wake()\n            break\n",
        (ONE_RUN,),
        hangs=True,
    ),
    Mutant(
        "all who waited take over",
        "_cells/exclusive.py",
        "            self._wait(running, started)\n            value = self._load()\n"
        "            if value is not EMPTY:\n                return value\n",
        "            self._wait(running, started)\n            value = self._load()\n"
        "            return self._publish(initializer())[0] if value is EMPTY else value\n",
        (TAKES_OVER,),
        hangs=True,
    ),
    Mutant(
        "who waited does not look for the value",
        "_cells/exclusive.py",
        "            self._wait(running, started)\n            value = self._load()\n"
        "            if value is not EMPTY:\n                return value\n",
        "            self._wait(running, started)\n            return self._publish(initializer())[0]\n",
        (ONE_RUN,),
        hangs=True,
    ),
    Mutant(
        "a wait is entered after its cycle is looked for",
        "_cells/wait_graph.py",
        "        _waits[self] = self.attempt\n        self.attempt.waiting[self] = None\n",
        "        self.attempt.waiting[self] = None\n",
        (EXPLORED % "two_locks: cross_first | cross_second",),
        also=(
            (
                "            self._raise_in_cycle(waits)\n        return True",
                "            self._raise_in_cycle(waits)\n        _waits[self] = self.attempt\n        return True",
            ),
        ),
        hangs=True,
        needs=FRONTRUN,
    ),
    Mutant(
        "whether it is over is looked at before the wait is entered",
        "_cells/wait_graph.py",
        "        self.attempt.waiting[self] = None\n        if self.attempt.is_over:\n            return False\n",
        "        if self.attempt.is_over:\n            return False\n        self.attempt.waiting[self] = None\n",
        (EXPLORED % "cell with OnceLock: touch | fail",),
        hangs=True,
        needs=FRONTRUN,
    ),
    Mutant(
        "a wait under an initializer holds it up",
        "_cells/wait_graph.py",
        " and wait.number > self.number",
        "",
        (LOCK + "what_a_signal_handler_initializes_is_no_matter_of_what_its_thread_waits_for[{}]",),
        hangs=True,
    ),
    Mutant(
        "a wait of the same thread holds nothing up",
        "_cells/wait_graph.py",
        "is_above = wait.thread == self.thread and wait.number > self.number",
        "is_above = False",
        (OWN_CELL,),
        hangs=True,
    ),
    Mutant(
        "a wait of any thread holds an initializer up",
        "_cells/wait_graph.py",
        "wait.thread == self.thread and ",
        "",
        (LOCK + "waiting_in_a_long_line_is_no_cycle[{}]",),
        hangs=True,
    ),
    Mutant(
        "a wait of the same task holds nothing up",
        "_cells/wait_graph.py",
        "            return wait.task is self.task()",
        "            return False",
        (TASKS + "a_task_that_reaches_its_own_cell_is_told_at_once[{}-async_cell]",),
        hangs=True,
    ),
    Mutant(
        "any wait in a thread holds its tasks up",
        "_cells/wait_graph.py",
        "            return wait.task is self.task()",
        "            return is_above",
        (TASKS_IN_CYCLE,),
    ),
    Mutant(
        "a thread that blocks its loop does not hold its tasks up",
        "_cells/wait_graph.py",
        "return wait.loop is loop if loop is not None and loop.is_running() else is_above",
        "return False",
        (IN_LOOP,),
        hangs=True,
    ),
    Mutant(
        "a loop is taken to run where its task began",
        "_cells/wait_graph.py",
        "return wait.loop is loop if loop is not None and loop.is_running() else is_above",
        "return is_above",
        (WAITS + "a_loop_that_runs_is_held_up_by_what_blocks_it_in_whichever_thread[{}]",),
    ),
    Mutant(
        "a loop that runs nowhere just now is held up by nobody",
        "_cells/wait_graph.py",
        "loop.is_running() else is_above",
        "loop.is_running() else False",
        (WAITS + "a_loop_that_runs_is_held_up_by_what_blocks_it_in_whichever_thread[{}]",),
    ),
    Mutant(
        "a task whose loop is closed is waited for",
        "_cells/wait_graph.py",
        "        if self.attempt.is_abandoned():\n",
        "        if False:\n",
        (WAITS + "a_task_whose_loop_is_closed_is_not_waited_for[{}]",),
    ),
    Mutant(
        "the task that initializes is kept alive",
        "_cells/wait_graph.py",
        "None if task is None else ref(task)",
        "None if task is None else lambda: task",
        (TASKS + "a_task_of_a_loop_that_was_dropped_keeps_nobody_waiting[{}]",),
    ),
    Mutant(
        "who waits in a loop that is closed stays entered",
        "_cells/exclusive.py",
        "cannot leave by itself.\n                wait.leave()",
        "cannot leave by itself.\n                pass",
        (TASKS + "a_task_of_a_loop_that_is_gone_keeps_nobody_waiting[{}-async_cell]",),
    ),
    Mutant(
        "an attempt is entered before it counts as running",
        "_cells/wait_graph.py",
        "        _running[self] = None\n        running = self.register.setdefault(self.key, self)\n",
        "        running = self.register.setdefault(self.key, self)\n        _running[self] = None\n",
        (
            "cells/test_exclusive_forks.py::test_a_fork_before_any_bytecode_of_another_thread_leaves_nobody_to_wait_for[{}]",
        ),
        hangs=True,
        needs=FORK,
    ),
    Mutant(
        "a cycle is told from another by nothing",
        "_cells/wait_graph.py",
        "raising.setdefault(frozenset(map(id, cycle)), self)",
        "raising.setdefault(frozenset(), self)",
        (WAITS + "who_has_left_one_cycle_to_another_is_told_of_the_next[{}]",),
        hangs=True,
    ),
    Mutant(
        "all who see a cycle raise",
        "_cells/wait_graph.py",
        "if first is self:",
        "if first:",
        (SEEN_TWICE,),
    ),
    Mutant(
        "each who sees a cycle asks claims of its own",
        "_cells/wait_graph.py",
        "lowest = min(cycle, key=id)",
        "lowest = self",
        (SEEN_TWICE,),
    ),
    Mutant(
        "what is over is waited for",
        "_cells/wait_graph.py",
        "        if self.attempt.is_over:\n            return False\n",
        "",
        (EXPLORED % "cell with OnceLock: touch | fail",),
        hangs=True,
        needs=FRONTRUN,
    ),
    Mutant(
        "who gave up waiting stays entered",
        "_cells/wait_graph.py",
        "        _waits.pop(self, None)\n        self.attempt.waiting.pop",
        "        self.attempt.waiting.pop",
        (LOCK + "who_is_done_or_gave_up_is_entered_nowhere[{}]",),
    ),
    Mutant(
        "who gave up waiting is woken in the end",
        "_cells/wait_graph.py",
        "        _waits.pop(self, None)\n        self.attempt.waiting.pop(self, None)\n",
        "        _waits.pop(self, None)\n",
        (LOCK + "who_is_done_or_gave_up_is_entered_nowhere[{}]",),
    ),
    Mutant(
        "who initializes stays entered",
        "_cells/wait_graph.py",
        "        _running.pop(self, None)\n        self.is_over",
        "        self.is_over",
        (LOCK + "who_is_done_or_gave_up_is_entered_nowhere[{}]",),
    ),
    Mutant(
        "who waits in turns has its timeout anew in each",
        "_cells/exclusive.py",
        "max(0.0, timeout - (monotonic() - started))",
        "timeout",
        (LOCK + "a_timeout_counts_from_the_call_through_all_turns[{}]",),
        hangs=True,
    ),
    Mutant(
        "a timeout is no error",
        "_cells/exclusive.py",
        "started)):\n                    raise self._too_late(timeout, running)",
        "started)):\n                    pass",
        (TOO_LONG,),
        hangs=True,
    ),
    Mutant(
        "set does not wait for the outcome",
        "_cells/exclusive.py",
        "            published = self._run_exclusively(give, give)",
        "            published = give()",
        (OUTCOME % "False",),
        hangs=True,
    ),
    Mutant(
        "set overwrites",
        "_cells/exclusive.py",
        "            raise self._rejection(published, value)\n",
        "            self._clear()\n            self._publish(value)\n",
        (OUTCOME % "False",),
    ),
    Mutant(
        "of two that set one object both succeed",
        "_cells/exclusive.py",
        "if not is_written:",
        "if published is not value:",
        (LOCK + "setting_the_same_object_twice_is_an_error_too[{}]",),
    ),
    Mutant(
        "a forked child waits for threads that it does not have",
        "_cells/wait_graph.py",
        "in_child.append(_forget_the_dead)",
        "",
        (LOCK + "a_forked_child_forgets_an_initializer_of_another_thread[{}-cell]",),
        hangs=True,
        needs=FORK,
    ),
    Mutant(
        "a forked child forgets what the thread that forked was at",
        "_cells/wait_graph.py",
        "if attempt.thread != survivor or attempt.task is not None:",
        "if True:",
        (LOCK + "in_a_forked_child_the_initializer_that_forked_still_runs[{}]",),
        needs=FORK,
    ),
    Mutant(
        "a task is woken from another thread as if from its own",
        "_cells/event_loops.py",
        "self._loop.call_soon_threadsafe(self._finish)",
        "self._loop.call_soon(self._finish)",
        (TASKS + "a_thread_waits_for_a_task_and_a_task_for_a_thread[{}]",),
        hangs=True,
    ),
    Mutant(
        "a task of trio is woken after its run",
        "_cells/exclusive.py",
        "            except RuntimeError:\n                # The loop is over",
        "            except ValueError:\n                # The loop is over",
        (TRIO + "a_run_that_is_over_while_a_task_of_it_waits_harms_nobody[{}]",),
    ),
    Mutant(
        "a task of trio waits without a limit of time",
        "_cells/event_loops.py",
        'float("inf") if timeout is None else timeout',
        'float("inf")',
        (TRIO + "a_task_that_has_waited_too_long_is_told[{}]",),
    ),
    Mutant(
        "a task of trio is not woken",
        "_cells/event_loops.py",
        "        self._token.run_sync_soon(self._event.set)\n",
        "        pass\n",
        (TRIO + "a_task_waits_until_another_has_initialized[{}]",),
    ),
    Mutant(
        "an error does not name a task of trio",
        "_cells/wait_graph.py",
        'getattr(task, "name", task)',
        "task",
        (TRIO + "a_cycle_of_tasks_is_found_and_names_them[{}]",),
    ),
    Mutant(
        "a copy of a lock shares the attempts",
        "_cells/exclusive.py",
        "        self._attempts = {}\n",
        "        self._attempts = _shared\n",
        (LOCK + "copies_are_initialized_apart[{}]",),
        also=(("def _remaining(", "_shared: dict[Any, Attempt] = {}\n\n\ndef _remaining("),),
    ),
]
