"""Pixels and clicks: `python -m tests.bench.tracking ROUND_S ROUNDS MINUTES`, settings in the environment; JSON lines out.

One Granian with one worker serves `serve --tracking-only`'s application and, beside it, bare Starlette routes that
return the same bytes with the same headers. The process that writes events runs all the while, as it does there. Bare and ours are asked in turns by the same client (CONNECTIONS keep-alive
connections, a process of its own), so that what else the machine does falls on both; a ratio is that of one turn, and
the middle one of all turns is told. Each request comes from another network, behind one proxy, as in a real storm.
Then 10,000 events a minute, one in five a click, at an even pace: what was sent is compared with what is in the
database, and the process's memory is read every few seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.dovecot import free_port

CONNECTIONS = 16
MESSAGES, LINKS = 1_000, 5
A_MINUTE = 10_000
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36"
)


def app() -> Any:
    """The application that is measured, and the bare routes beside it."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from mailcrm.endpoints import tracking, tracking_only

    headers = {name.decode(): value.decode() for name, value in tracking._HEADERS}

    async def pixel(_request: Request) -> Response:
        return Response(tracking.PIXEL, media_type="image/gif", headers=headers)

    async def click(_request: Request) -> Response:
        return Response(b"", 302, headers={**headers, "Location": "https://shop.test/p/1?a=1&b=2"})

    bare = Starlette(routes=[Route("/bare/o/{token:path}", pixel), Route("/bare/c/{token:path}", click)])
    ours = tracking_only.application()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await (bare if scope.get("path", "").startswith("/bare/") else ours)(scope, receive, send)

    return both


def serve(port: int) -> None:
    """Run the server."""
    from granian.constants import Interfaces
    from granian.server import Server

    Server(
        "tests.bench.tracking:app", address="127.0.0.1", port=port, interface=Interfaces.ASGI, factory=True, workers=1,
        log_enabled=False,
    ).serve()  # fmt: skip


def prepare() -> list[str]:
    """Make the database with its tracked messages; return their nonces."""
    from mailcrm.models import TrackedLink, TrackedMessage, User, utcnow
    from mailcrm.services import db
    from mailcrm.services.tracking import tokens

    db.migrate()
    with db.transaction() as session:
        person = User(name="Bench", email="bench@example.net", password_hash="x", role="member")
        session.add(person)
        session.flush()
        found = [
            TrackedMessage(
                user_id=person.id, nonce=tokens.new_nonce(), opens_on=True, clicks_on=True, notify=True,
                sent_at=utcnow(),
            )
            for _ in range(MESSAGES)
        ]  # fmt: skip
        session.add_all(found)
        session.flush()
        session.add_all(
            TrackedLink(tracked_id=row.id or 0, position=n, url=f"https://shop.test/p/{n}?a=1&b=2")
            for row in found
            for n in range(1, LINKS + 1)
        )
        return [row.nonce for row in found]


@dataclass
class Load:
    """Sends requests over keep-alive connections and notes how long each answer took, in seconds."""

    port: int
    next_path: Callable[[], str]
    took: list[float] = field(default_factory=list)
    wrong: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(6))  # noqa: S311

    def request(self) -> bytes:
        network = ".".join(str(self.chance.randrange(1, 224)) for _ in range(4))
        return (
            f"GET {self.next_path()} HTTP/1.1\r\nHost: t.test\r\nUser-Agent: {AGENT}\r\nX-Forwarded-For: {network}\r\n"
            "Accept: image/avif,image/webp,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n\r\n"
        ).encode()

    async def flat_out(self, seconds: float) -> float:
        """Ask as fast as it is answered; return requests a second."""
        ends = time.perf_counter() + seconds
        await asyncio.gather(*(self._ask_until(ends) for _ in range(CONNECTIONS)))
        return len(self.took) / seconds

    async def _ask_until(self, ends: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.perf_counter() < ends:
            await self._ask(reader, writer)
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = time.perf_counter()
        writer.write(self.request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if int(length or 0):
            await reader.readexactly(int(length))
        self.took.append(time.perf_counter() - started)
        self.wrong += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 302"))

    async def at_pace(self, count: int, seconds: float, every: Callable[[float], None]) -> None:
        """Ask so many times, evenly over the time; `every` is called now and then with the seconds that passed."""
        waiting: asyncio.Queue[int] = asyncio.Queue()

        async def work() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            while await waiting.get() >= 0:
                await self._ask(reader, writer)
            writer.close()

        workers = [asyncio.create_task(work()) for _ in range(CONNECTIONS)]
        started, told = time.perf_counter(), 0.0
        for n in range(count):
            due = started + seconds * n / count
            if (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            waiting.put_nowait(n)
            if due - started - told >= min(5.0, seconds / 20):
                told = due - started
                every(told)
        for _ in workers:
            waiting.put_nowait(-1)
        await asyncio.gather(*workers)


def p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def cycle(paths: list[str]) -> Callable[[], str]:
    def forever() -> Iterator[str]:
        while True:
            yield from paths

    found = forever()
    return lambda: next(found)


def fetched() -> dict[str, int]:
    """What is in the database: events by action, and what was dropped."""
    from sqlmodel import func, select

    from mailcrm.models import AuditEntry, TrackingEvent
    from mailcrm.services.db import reading
    from mailcrm.services.tracking.intake import DROPPED

    with reading() as session:
        events = dict(session.exec(select(TrackingEvent.action, func.count()).group_by(TrackingEvent.action)).all())
        dropped = session.exec(select(AuditEntry.detail).where(AuditEntry.verb == DROPPED)).all()
    return {**events, "dropped": sum(sum(each.values()) for each in dropped)}


def settled(least: int, seconds: float = 60) -> dict[str, int]:
    """Wait until so many events are written, or nothing more comes."""
    ends = time.monotonic() + seconds
    found = fetched()
    while sum(found.values()) < least and time.monotonic() < ends:
        time.sleep(0.5)
        found = fetched()
    return found


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def worker_of(pid: int) -> int:
    """Granian's worker below its supervisor: the largest child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return max((int(each) for each in children), key=rss_mb)


def say(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


def speed(port: int, nonces: list[str], seconds: float, rounds: int) -> int:
    """Compare with the bare routes; return how many of ours were asked for."""
    from mailcrm.services.tracking import tokens

    pixels = [f"/t/o/{tokens.make('open', nonce)}.gif" for nonce in nonces]
    clicks = [f"/t/c/{tokens.make('click', nonce, n)}" for nonce in nonces for n in range(1, LINKS + 1)]
    asked = 0
    for what, paths in (("pixel", pixels), ("click", clicks)):
        bare = [path.replace("/t/", "/bare/") for path in paths]
        asyncio.run(Load(port, cycle(bare)).flat_out(1))
        rates: list[float] = []
        tails: list[float] = []
        told: list[tuple[float, float, float, float]] = []
        for _ in range(rounds):
            first, second = Load(port, cycle(bare)), Load(port, cycle(paths))
            bare_rate, our_rate = asyncio.run(first.flat_out(seconds)), asyncio.run(second.flat_out(seconds))
            asked += len(second.took)
            if first.wrong or second.wrong:
                sys.exit(f"{first.wrong} and {second.wrong} answers were no answers")
            rates.append(our_rate / bare_rate)
            tails.append(p99(second.took) / p99(first.took))
            told.append((bare_rate, our_rate, p99(first.took) * 1000, p99(second.took) * 1000))
            settled(asked)  # what waits to be written must not fall on the next turn's bare route
        n = rates.index(middle(rates))
        say(
            what=f"{what}: requests a second, ours by a bare Starlette route",
            figure=f"{told[n][1]:.0f} / {told[n][0]:.0f} = {middle(rates):.2f} (turns {min(rates):.2f} to {max(rates):.2f})",
            value=middle(rates), least=0.5, bar="≥ 0.5",
        )  # fmt: skip
        n = tails.index(middle(tails))
        say(
            what=f"{what}: p99, ours by the bare route's",
            figure=f"{told[n][3]:.1f} / {told[n][2]:.1f} ms = {middle(tails):.2f} (turns {min(tails):.2f} to {max(tails):.2f})",
            value=middle(tails), most=5, bar="≤ 5",
        )  # fmt: skip
    found = settled(asked)
    dropped = found.pop("dropped")
    say(
        what=f"of {asked:,} in those turns written",
        figure=f"{sum(found.values()):,}, dropped and counted {dropped:,}, unaccounted {asked - dropped - sum(found.values()):,}",
    )
    return sum(fetched().values())


def steady(port: int, nonces: list[str], minutes: float, before: int, worker: int) -> None:
    """10,000 events a minute."""
    from mailcrm.services.tracking import tokens

    chance, count = random.Random(7), round(A_MINUTE * minutes)  # noqa: S311

    def path() -> str:
        nonce = chance.choice(nonces)
        if chance.random() < 0.2:
            return f"/t/c/{tokens.make('click', nonce, chance.randint(1, LINKS))}"
        return f"/t/o/{tokens.make('open', nonce)}.gif"

    load = Load(port, path)
    memory: list[tuple[float, float]] = []
    asyncio.run(load.at_pace(count, minutes * 60, lambda at: memory.append((at, rss_mb(worker)))))
    found = settled(before + count, 60)
    lost = before + count - sum(found.values())
    say(
        what=f"{count:,} events in {minutes:g} minutes, lost",
        figure=f"{lost}, p99 of the answers {p99(load.took) * 1000:.1f} ms", value=lost + load.wrong, most=0, bar="0",
    )  # fmt: skip
    early = [mb for at, mb in memory if at <= minutes * 60 / 4]
    late = [mb for at, mb in memory if at >= minutes * 60 * 3 / 4]
    ratio = max(late) / max(early)
    say(
        what="the same, memory of the process: most in the last quarter by most in the first",
        figure=f"{max(late):.0f} / {max(early):.0f} MB = {ratio:.2f}", value=ratio, most=1.05, bar="≤ 1.05 (flat)",
    )  # fmt: skip


def main(seconds: float, rounds: int, minutes: float) -> None:
    """Run both and print a JSON line for each figure."""
    nonces = prepare()
    port = free_port()
    os.environ["MAILCRM_PROXY_HOPS"] = "1"
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.tracking", "serve", str(port)])
    recorder = subprocess.Popen([sys.executable, "-m", "mailcrm.processes", "recorder"])
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        before = speed(port, nonces, seconds, rounds) if rounds else 0
        steady(port, nonces, minutes, before, worker_of(server.pid))
    finally:
        for process in (server, recorder):
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    if sys.argv[1] != "serve":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with it
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        main(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
