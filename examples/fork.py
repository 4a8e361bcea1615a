"""A connection is opened, the process forks, and from then on the parent and its children share one connection.

Each process can receive answers that were meant for another, and the first to say goodbye ends the session for all.
A pre-fork server that loads the application before it forks does this to every connection that was opened too early,
and so does multiprocessing. With `@once(cell=ProcessOnceCell)` each process finds the cell empty and opens its own
connection. It neither uses nor closes the one that it inherited.

Look at the column "got their own name". Each worker tells the server its name. When all have done so, each asks for its
name. The workers take turns, which is kinder than real life: without turns they would tear each other's answers apart.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import threading
from collections.abc import Callable

from gilonce import ProcessOnceCell, once

WORKERS = 3

fork = multiprocessing.get_context("fork")
turn = fork.Lock()
all_have_said_their_name = fork.Barrier(WORKERS)
all_have_asked = fork.Barrier(WORKERS)
seen_by_workers = fork.SimpleQueue()

listener = socket.create_server(("127.0.0.1", 0))


def serve() -> None:
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        threading.Thread(target=serve_session, args=[connection, number], daemon=True).start()


def serve_session(connection: socket.socket, number: int) -> None:
    """Answer each line with the session's number and the last name given in the session."""
    name = "nobody"
    with connection, connection.makefile("rw") as lines:
        for line in lines:
            if line == "goodbye\n":
                break
            if line.startswith("I am "):
                name = line.removeprefix("I am ").strip()
            lines.write(f"{number}: {name}\n")
            lines.flush()


class Session:
    def __init__(self) -> None:
        self._socket = socket.create_connection(listener.getsockname())
        self._answers = self._socket.makefile("r")

    def ask(self, question: str) -> tuple[str, str]:
        self._socket.sendall(f"{question}\n".encode())
        number, _, name = self._answers.readline().strip().partition(": ")
        if not number:
            raise ConnectionError("the server has closed this session")
        return number, name

    def close(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(b"goodbye\n")
        self._answers.close()
        self._socket.close()


@once
def shared_session() -> Session:
    return Session()


@once(cell=ProcessOnceCell)
def session_per_process() -> Session:
    return Session()


def work(get_session: Callable[[], Session], me: str) -> None:
    session = get_session()
    with turn:
        session.ask(f"I am {me}")
    all_have_said_their_name.wait()
    with turn:
        number, name = session.ask("who am I?")
    seen_by_workers.put((number, name == me))
    all_have_asked.wait()
    session.close()


def try_out(get_session: Callable[[], Session]) -> str:
    """Let the workers work, and return the row of the table about them."""
    session = get_session()
    mine, _ = session.ask("I am the parent")
    workers = [fork.Process(target=work, args=[get_session, f"worker {number}"]) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seen = [seen_by_workers.get() for _ in workers]
    sessions = {mine, *(number for number, _ in seen)}
    own_names = sum(is_mine for _, is_mine in seen)
    try:
        afterwards = f"is served, as {session.ask('who am I?')[1]!r}"
    except ConnectionError:
        afterwards = "is cut off"
    session.close()
    return f"{len(sessions):>8}{f'{own_names} of {WORKERS}':>20}     {afterwards}"


def main() -> None:
    server = fork.Process(target=serve, daemon=True)
    server.start()
    print(f"{'':<26}{'sessions':>8}{'got their own name':>20}     the parent, when the workers are gone")
    print(f"{'once':<26}{try_out(shared_session)}")
    print(f"{'once(cell=ProcessOnceCell)':<26}{try_out(session_per_process)}")
    server.terminate()
    server.join()
    listener.close()


if __name__ == "__main__":
    main()
