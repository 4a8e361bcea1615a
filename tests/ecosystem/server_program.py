"""The program that `test_server.py` runs. Its processes talk to PostgreSQL through a client in a cell.

The environment names the class of the cell and the server (CELL, PGHOST, PGUSER). Each process prints what it saw as a
line of JSON. Run it as `server_program.py WAY`, or with gunicorn, for which it is both the configuration and the
application.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import psycopg

import gilonce

WORKERS = 3
WATCHDOG = 30.0


class Client:
    """Like the clients that are written in C, it tells the server of its end, in whatever process that is."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(autocommit=True)

    def ask(self, question: str, *parameters: object) -> Any:
        row = self.connection.execute(question, parameters).fetchone()
        assert row is not None
        return row[0]

    def __del__(self) -> None:
        self.connection.close()


@gilonce.once(cell=getattr(gilonce, os.environ["CELL"]))
def client() -> Client:
    return Client()


def report(**seen: object) -> None:
    # One write, so that processes do not get into each other's lines.
    os.write(1, f"{json.dumps(seen)}\n".encode())


# What each process does: it tells its session its name, and when all have done so, asks for it. They take
# turns, so that nothing is left to luck (nor hangs) if they should all be on one connection.

fork = multiprocessing.get_context("fork")
turn = fork.Lock()
everyone_has_a_turn = fork.Barrier(WORKERS)


def name_session() -> None:
    client().ask("SELECT set_config('the.process', %s, false)", str(os.getpid()))


def ask_session() -> dict[str, int]:
    session = client().ask("SELECT pg_backend_pid()")
    told = int(client().ask("SELECT current_setting('the.process')"))
    return {"process": os.getpid(), "session": session, "told": told}


def work() -> dict[str, int]:
    with turn:
        name_session()
    everyone_has_a_turn.wait(WATCHDOG)
    with turn:
        seen = ask_session()
    everyone_has_a_turn.wait(WATCHDOG)
    return seen


def report_parent() -> None:
    try:
        report(parent=ask_session())
    except psycopg.OperationalError as error:
        report(parent=None, error=str(error))


# By multiprocessing, and by ProcessPoolExecutor. Their processes do not come to the interpreter's end, so they
# close their connection themselves.


def work_and_close() -> dict[str, int]:
    seen = work()
    client.cell.take()
    return seen


def report_work() -> None:
    report(worker=work_and_close())


def run_multiprocessing() -> None:
    processes = [fork.Process(target=report_work) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def run_pool() -> None:
    with ProcessPoolExecutor(WORKERS, mp_context=fork) as pool:
        for future in [pool.submit(work_and_close) for _ in range(WORKERS)]:
            report(worker=future.result(WATCHDOG))


def run_swap() -> None:
    """Parent and child each ask one question, and the parent's comes first."""
    client().ask("SELECT 'something'")
    has_asked = fork.Event()

    def child() -> None:
        client()
        assert has_asked.wait(WATCHDOG)
        report(child=client().ask("SELECT 'for the child'"))

    process = fork.Process(target=child)
    process.start()
    asking = client().connection.pgconn
    asking.send_query(b"SELECT 'for the parent'")
    has_asked.set()
    process.join()
    if os.environ["CELL"] == "ProcessOnceCell":  # else its answer is gone
        answer = asking.get_result()
        assert answer is not None
        report(parent=(answer.get_value(0, 0) or b"").decode())


RUN: dict[str, Callable[[], None]] = {
    "multiprocessing": run_multiprocessing,
    "ProcessPoolExecutor": run_pool,
    "swap": run_swap,
}


def main() -> None:
    way = sys.argv[1]
    if way == "swap":
        run_swap()
    else:
        name_session()
        report(parent=ask_session())
        RUN[way]()
        report_parent()


if __name__ == "__main__":
    main()


# By gunicorn, which loads the application before it forks its workers (preload).

bind = "127.0.0.1:0"
workers = WORKERS
preload_app = True
wsgi_app = "server_program:application"
control_socket_disable = True


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    answer = json.dumps(work()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def when_ready(server: Any) -> None:
    """Called in the master, which uses the client before it forks."""
    name_session()
    report(parent=ask_session())
    report(port=server.LISTENERS[0].sock.getsockname()[1])


def worker_exit(server: Any, worker: Any) -> None:
    """Called in a worker, which closes its connection, as well-behaved workers do."""
    client.cell.take()


def child_exit(server: Any, worker: Any) -> None:
    """Called in the master after a worker has come to its end."""
    report_parent()
