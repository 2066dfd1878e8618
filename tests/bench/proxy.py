"""A TCP proxy that adds a delay in each direction and notes what the client asks: `python -m tests.bench.proxy`.

Latency only: no bandwidth limit, no slow start. On SIGTERM it prints, as JSON, the commands it saw; a command that
was sent before the answer to the one before it had come costs no round trip of its own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.dovecot import free_port

_PIECE = 1 << 18


@dataclass
class Seen:
    """The commands of all connections, in order, and how often the client spoke after the server had."""

    commands: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)


class _Connection:
    def __init__(self, seen: Seen, delay: float) -> None:
        self.seen, self.delay, self.server_spoke = seen, delay, True

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, client: bool) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            while True:
                data = await source.read(_PIECE)
                self.note(data, client=client)
                await waiting.put((loop.time() + self.delay, data))
                if not data:
                    return

        reader = asyncio.create_task(read())
        try:
            while True:
                at, data = await waiting.get()
                if (left := at - loop.time()) > 0:
                    await asyncio.sleep(left)
                if not data:
                    break
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            reader.cancel()
            sink.close()

    def note(self, data: bytes, *, client: bool) -> None:
        if not client:
            self.server_spoke = self.server_spoke or bool(data)
            return
        for line in data.split(b"\r\n"):
            words = line.split(b" ", 3)
            if len(words) < 2 or not words[0].isalnum():
                continue
            name = (
                b" ".join(words[1:3] if words[1].upper() == b"UID" else words[1:2]).decode("ascii", "replace").upper()
            )
            self.seen.commands.append(name)
            if self.server_spoke:
                self.seen.turns.append(name)
            self.server_spoke = False


async def _serve(listen: int, target: int, delay: float) -> None:
    seen = Seen()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target, limit=1 << 22)
        one = _Connection(seen, delay)
        await asyncio.gather(
            one.pump(reader, far_writer, client=True),
            one.pump(far_reader, writer, client=False),
            return_exceptions=True,
        )

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(accept, "127.0.0.1", listen, limit=1 << 22)
    print("ready", flush=True)
    await stopped.wait()
    server.close()
    print(json.dumps({"commands": seen.commands, "turns": seen.turns}), flush=True)


@contextmanager
def proxy(target: int, delay: float) -> Generator[tuple[int, Seen]]:
    """Run a proxy in a process of its own; what it saw is there when the block has ended."""
    port, seen = free_port(), Seen()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.proxy", str(port), str(target), str(delay)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield port, seen
    finally:
        child.terminate()
        said = child.stdout.read()
        child.wait()
        child.stdout.close()
        if said.strip():
            seen.__init__(**json.loads(said))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
