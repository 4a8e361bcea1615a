"""Many tasks want the one client of a service, and the first tasks come before it is connected.

`functools.cache` on an `async def` keeps a coroutine, which can be awaited only once. An `asyncio.Lock` makes all tasks
wait for the first one, and belongs to one event loop. `@once` on an `async def` gives every task the same client. Tasks
that come early each connect. The first connection that is ready becomes the client, and the others go to `discard`,
which may be an `async def` too and says goodbye here.

Look at the server's counts. In the first wave each task opens a connection, all but one say goodbye, and every task
uses the one that is left. The second wave opens none.
"""

from __future__ import annotations

import asyncio

from gilonce import once

TASKS = 10


class Server:
    """Answers each line in capitals, and counts its connections."""

    def __init__(self) -> None:
        self.opened = 0
        self.goodbyes = 0
        self.used: set[int] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        number = self.opened
        async for line in reader:
            if line == b"goodbye\n":
                self.goodbyes += 1
                break
            self.used.add(number)
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    def __str__(self) -> str:
        return f"{self.opened} connections opened, {self.goodbyes} said goodbye, {len(self.used)} in use"


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._one_question_at_a_time = asyncio.Lock()

    async def ask(self, question: str) -> str:
        async with self._one_question_at_a_time:
            self._writer.write(question.encode() + b"\n")
            return (await self._reader.readline()).decode().strip()

    async def close(self) -> None:
        await self.ask("goodbye")  # the server answers by closing its end
        self._writer.close()
        await self._writer.wait_closed()


class Service:
    """The application's side: it knows the server's port, and has one client."""

    def __init__(self, port: int) -> None:
        self._port = port

    @once(discard=Client.close)
    async def client(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self._port))


async def ask(service: Service, question: str) -> tuple[Client, str]:
    client = await service.client()
    return client, await client.ask(question)


async def wave(service: Service) -> str:
    """Let all tasks ask at once, and describe what they got."""
    answers = await asyncio.gather(*[ask(service, f"task {number}") for number in range(TASKS)])
    clients = {client for client, _ in answers}
    return f"{len(clients)} client for {len(answers)} tasks, the last answer is {answers[-1][1]!r}"


async def run() -> None:
    counts = Server()
    server = await asyncio.start_server(counts.serve, "127.0.0.1", 0)
    service = Service(server.sockets[0].getsockname()[1])
    async with server:
        for name in ["first wave: ", "second wave:"]:
            print(name, await wave(service))
            print("  the server:", counts)
        await (await service.client()).close()


def main() -> None:
    asyncio.run(run())


if __name__ == "__main__":
    main()
