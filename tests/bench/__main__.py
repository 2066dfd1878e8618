"""`python -m tests.bench [PART …]`: what mailcrm takes for its work, beside its peers, in one run on one machine.

    first      a first sync of 20,000 messages, everything included, beside mbsync (FSync yes and no) and offlineimap
    latency    the same for 4,000 messages at 100 ms round-trip time, beside IMAPClient fetching and dropping them
    newest     when the newest 50 are readable, in a mailbox of 2,000 and one of 200,000 messages
    many       memory for 200,000 messages, then a pass with nothing new: round trips and CPU
    large      memory for one message of 50 MB
    idle       2,000 idle connections in one watcher
    crm        first pages, matching and linking again among 1,000,000 messages, 50,000 persons and 10,000 deals, on
               SQLite and, where it is installed, on a PostgreSQL of its own (or the one of `--database`)
    search     the newest conversations with a word, beside notmuch's library, among 20,000 messages of the same mail
    browser    what a person waits for in Chromium: lists, opening, searching over 1,000,000 messages, first load, 50 tabs,
               and beside Roundcube on the same Dovecot (`--roundcube` lets apt-get install it where it is missing)
    tracking   pixels and clicks beside bare Starlette routes, then 10,000 events a minute for ten minutes

All clients read the same Dovecot on loopback, without TLS, one after the other, each in a process of its own, after a
pass that warms the page cache. Messages of `newest` and `many` are small (1 KB), those of the others as in mailbox.py.
Prints the machine, the figures, and a table with each bar as a ratio; `--table FILE` writes it too.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.bench import machine, own, peers
from tests.bench.mailbox import large, messages, small
from tests.bench.proxy import proxy
from tests.servers import postgres
from tests.servers.dovecot import DovecotServer

Message = tuple[bytes, datetime, list[str]]
HALF_RTT_S = 0.05
SIGN_IN = ("CAPABILITY", "LOGIN", "AUTHENTICATE", "STARTTLS", "ID", "ENABLE", "LOGOUT")


@dataclass
class Bench:
    """One run: the server, the folder of its data, and the rows of the table."""

    dovecot: DovecotServer
    home: Path
    messages: int
    many: int
    idle: int
    database: str
    crm: int = 1_000_000
    keep: Path | None = None
    minutes: float = 10
    turns: int = 7
    roundcube: bool = False
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def say(self, line: str) -> None:
        print(line, flush=True)

    def bar(
        self, what: str, figure: str, ratio: float, bar: str, *, most: float | None = None, least: float | None = None
    ) -> None:
        """Add a row: met when `ratio` is within `most` and `least`."""
        met = (most is None or ratio <= most) and (least is None or ratio >= least)
        self.rows.append((what, figure, bar, "met" if met else "MISSED"))
        self.say(f"  {'met   ' if met else 'MISSED'}  {what}: {figure} (bar: {bar})")

    def fill(self, user: str, made: object) -> int:
        """Write a mailbox once; return its bytes on the wire."""
        if user in self.dovecot.passwords:
            return 0
        self.dovecot.add_user(user)
        total = 0
        for raw, when, flags in made:  # type: ignore[attr-defined]
            self.dovecot.deliver(user, raw, flags=flags, when=when)
            total += len(raw) + raw.count(b"\n")
        peers.imapclient_warm(self.dovecot.plain_port, user, self.dovecot.passwords[user])
        return total

    def fill_dbox(self, user: str, made: Iterable[Message]) -> None:
        """Write a mailbox once that Dovecot keeps in its own format, over IMAP."""
        if user in self.dovecot.passwords:
            return
        self.dovecot.add_user(user, location="sdbox:~/sdbox")
        peers.append(self.dovecot.plain_port, user, self.dovecot.passwords[user], made)
        peers.imapclient_warm(self.dovecot.plain_port, user, self.dovecot.passwords[user])


def first(bench: Bench) -> None:
    """A first sync beside mbsync and offlineimap."""
    count = bench.messages
    total = bench.fill("first", messages(count))
    bench.say(f"first: {count} messages, {total / 1e6:.1f} MB")
    with_mbsync, with_offlineimap = shutil.which("mbsync"), shutil.which("offlineimap")
    if with_mbsync:
        peers.mbsync(bench.dovecot, "first", bench.home / "warm-up", fsync=False)
    mine = own.run(bench.dovecot, "first", bench.home / "first", "first", database=bench.database)
    rate = count / mine["seconds"]
    bench.say(
        f"  mailcrm             {rate:7.0f} messages/s {mine['seconds']:7.1f} s, CPU {mine['cpu']:.1f} s,"
        f" of it synced after {mine['synced']:.1f} s, first messages after {mine['first']:.2f} s"
    )
    if mine["stored"] != count or not mine["adds_up"]:
        sys.exit("the ledger does not add up")
    for name, there, run, least in (
        (
            "mbsync, FSync yes",
            with_mbsync,
            lambda: peers.mbsync(bench.dovecot, "first", bench.home / "yes", fsync=True),
            1.0,
        ),
        (
            "mbsync, FSync no",
            with_mbsync,
            lambda: peers.mbsync(bench.dovecot, "first", bench.home / "no", fsync=False),
            None,
        ),
        (
            "offlineimap",
            with_offlineimap,
            lambda: peers.offlineimap(bench.dovecot, "first", bench.home / "offline"),
            5.0,
        ),
    ):
        if not there:
            bench.say(f"  {name} is not installed: no comparison (Debian: isync, offlineimap3)")
            continue
        seconds = run()
        bench.say(f"  {name:<19} {count / seconds:7.0f} messages/s {seconds:7.1f} s")
        ratio = seconds / mine["seconds"]
        if least is not None:
            bench.bar(
                f"first sync of {count:,} messages, all work included, by {name}",
                f"{rate:.0f} / {count / seconds:.0f} messages/s = {ratio:.2f}", ratio, f"≥ {least:g}", least=least,
            )  # fmt: skip
        else:
            bench.say(
                f"  ratio {ratio:.2f} (no bar: it parses, indexes and links nothing, and leaves the disk to its fate)"
            )
    _memory(bench, f"{count:,} messages", mine)


def latency(bench: Bench) -> None:
    """A first sync through a proxy that adds 100 ms to each round trip."""
    count = max(1, bench.messages // 5)
    total = bench.fill("latency", messages(count))
    bench.say(f"latency: {count} messages, {total / 1e6:.1f} MB, {HALF_RTT_S * 2000:.0f} ms round-trip time")
    password = bench.dovecot.passwords["latency"]
    with proxy(bench.dovecot.plain_port, HALF_RTT_S) as (port, _):
        raw = peers.imapclient(port, "latency", password, mended=False)
        mended = peers.imapclient(port, "latency", password, mended=True)
        mine = own.run(bench.dovecot, "latency", bench.home / "latency", "first", port=port, database=bench.database)
    bench.say(
        f"  mailcrm {count / mine['seconds']:.0f} messages/s, IMAPClient {count / raw:.0f},"
        f" IMAPClient without debugging {count / mended:.0f}; first messages after {mine['first']:.2f} s"
    )
    ratio = raw / mine["seconds"]
    bench.bar(
        f"first sync of {count:,} messages at 100 ms, by IMAPClient fetching and dropping them",
        f"{count / mine['seconds']:.0f} / {count / raw:.0f} messages/s = {ratio:.2f}", ratio, "≥ 0.8", least=0.8,
    )  # fmt: skip


def newest(bench: Bench) -> None:
    """When the newest 50 messages are readable, by the size of the mailbox."""
    few, many = max(1, bench.many // 100), bench.many
    bench.fill_dbox("few", small(few))
    bench.fill_dbox("many", small(many))
    found: dict[int, float] = {}
    for user, count in (("few", few), ("many", many)):
        runs = [own.run(bench.dovecot, user, bench.home / f"newest-{user}-{n}", "newest")["first"] for n in range(3)]
        found[count] = sorted(runs)[1]
        bare = min(
            peers.first_fifty(bench.dovecot.plain_port, user, bench.dovecot.passwords[user], count) for _ in range(3)
        )
        bench.say(
            f"newest: {count} messages: {', '.join(f'{seconds:.2f}' for seconds in runs)} s;"
            f" a bare client that opens the folder and fetches 50 takes {bare:.2f} s"
        )
    bench.bar(
        f"newest 50 of {many:,} readable after connecting", f"{found[many]:.2f} s", found[many], "≤ 1.5 s", most=1.5
    )
    ratio = found[many] / found[few]
    bench.bar(
        f"the same by {few:,} messages",
        f"{found[many]:.2f} / {found[few]:.2f} s = {ratio:.2f}",
        ratio,
        "≤ 1.2",
        most=1.2,
    )


def many(bench: Bench) -> None:
    """Memory for a large mailbox, then a pass with nothing new."""
    bench.fill_dbox("many", small(bench.many))
    home = bench.home / "many"
    mine = own.run(bench.dovecot, "many", home, "first")
    bench.say(f"many: {bench.many} messages of 1 KB: {bench.many / mine['seconds']:.0f} messages/s")
    _memory(bench, f"{bench.many:,} messages", mine)
    own.run(bench.dovecot, "many", home, "again")  # flags are looked at once after the first sync
    with proxy(bench.dovecot.plain_port, 0) as (port, seen):
        again = own.run(bench.dovecot, "many", home, "again", port=port)
    trips = [name for name in seen.turns if name not in SIGN_IN]
    trips = trips[len(trips) // 2 :]  # it makes two passes, and measures the second
    bench.say(
        f"  nothing new: {again['seconds'] * 1000:.0f} ms, commands {' '.join(seen.commands[len(seen.commands) // 2 :])}"
    )
    bench.bar(
        f"pass over {bench.many:,} unchanged messages, round trips after sign-in",
        f"{len(trips)}",
        len(trips),
        "≤ 4",
        most=4,
    )
    bench.bar("the same, CPU", f"{again['cpu'] * 1000:.0f} ms", again["cpu"] * 1000, "≤ 50 ms", most=50)


def large_message(bench: Bench) -> None:
    """Memory for one very large message."""
    bench.fill("large", large(50_000_000))
    for what, named in (("first", "one message of 50 MB"), ("whole", "the same without BODYSTRUCTURE")):
        mine = own.run(bench.dovecot, "large", bench.home / f"large-{what}", what)
        bench.say(f"large: {named} in {mine['seconds']:.1f} s")
        if mine["stored"] != 1 or not mine["adds_up"]:
            sys.exit("the large message was not stored")
        _memory(bench, named, mine)


def idle(bench: Bench) -> None:
    """2,000 idle connections (tests/bench/idle.py)."""
    if importlib.util.find_spec("tests.bench.idle") is None:
        bench.say("idle: tests/bench/idle.py is not there")
        return
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.idle", str(bench.idle)], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        bench.say(f"idle: failed\n{done.stdout}")
        return
    found = json.loads(done.stdout.splitlines()[-1])
    bench.say(f"idle: {json.dumps(found)}")
    count, memory, cpu = int(found["connections"]), float(found["rss_mb"]), float(found["cpu_idle"])
    bench.bar(f"{count:,} idle connections in one watcher, memory", f"{memory:.0f} MB", memory, "≤ 150 MB", most=150)
    bench.bar("the same, CPU", f"{cpu:.2f} %", cpu, "≤ 1 %", most=1)


def crm(bench: Bench) -> None:
    """The CRM's first pages, matching and linking (tests/bench/crm.py)."""
    home = bench.keep or bench.home
    lite = home / f"crm-{bench.crm}"
    lite.mkdir(parents=True, exist_ok=True)
    if bench.database:
        _crm(bench, "the database given", lite, bench.database)
        return
    _crm(bench, "SQLite", lite, "")
    if postgres.binaries() is None:
        bench.say("  PostgreSQL is not installed: not measured on it")
        return
    kept = home / f"postgresql-{bench.crm}"
    made = kept.exists()
    with postgres.Cluster(kept) as cluster:
        url = cluster.url("crm") if made else cluster.create("crm")
        _crm(bench, "PostgreSQL", lite, url)


def _crm(bench: Bench, where: str, home: Path, database: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILCRM_")}
    environment["MAILCRM_DATA_DIR"] = str(home)
    if database:
        environment["MAILCRM_DATABASE_URL"] = database
    bench.say(f"crm: {bench.crm:,} messages on {where}")
    command = [sys.executable, "-m", "tests.bench.crm", str(bench.crm)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            found = json.loads(line)
            what = f"{found['what']}, {where}"
            if found["bar"]:
                bench.bar(what, found["figure"], found["value"], found["bar"], most=found["most"], least=found["least"])
            else:
                bench.say(f"          {what}: {found['figure']}")
    if running.returncode:
        sys.exit("the part crm failed")


def search(bench: Bench) -> None:
    """Search beside notmuch (tests/bench/search.py); on SQLite, as notmuch is one process with its files, too."""
    if not shutil.which("notmuch"):
        bench.say("search: notmuch is not installed, no comparison (Debian: notmuch)")
        return
    home = bench.home / "search"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILCRM_")}
    environment["MAILCRM_DATA_DIR"] = str(home)
    bench.say(f"search: {bench.messages:,} messages")
    command = [sys.executable, "-m", "tests.bench.search", str(bench.messages), str(home)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            found = json.loads(line)
            bench.bar(found["what"], found["figure"], found["value"], found["bar"], most=found["most"])
    if running.returncode:
        sys.exit("the part search failed")


def browser(bench: Bench) -> None:
    """What a person waits for (tests/bench/browser.py)."""
    from tests.bench import browser as measured  # here: Playwright is needed for this part alone

    measured.run(bench, install=bench.roundcube)


def tracking(bench: Bench) -> None:
    """Pixels and clicks (tests/bench/tracking.py)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILCRM_")}
    home = bench.home / "tracking"
    home.mkdir()
    environment["MAILCRM_DATA_DIR"] = str(home)
    if bench.database:
        environment["MAILCRM_DATABASE_URL"] = bench.database
    bench.say(f"tracking: {bench.turns} turns of 1 s, then {bench.minutes:g} minutes")
    command = [sys.executable, "-m", "tests.bench.tracking", "1", str(bench.turns), str(bench.minutes)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            found = json.loads(line)
            if "bar" in found:
                bench.bar(
                    found["what"], found["figure"], found["value"], found["bar"],
                    most=found.get("most"), least=found.get("least"),
                )  # fmt: skip
            else:
                bench.say(f"          {found['what']}: {found['figure']}")
    if running.returncode:
        sys.exit("the part tracking failed")


def _memory(bench: Bench, what: str, mine: own.Figures) -> None:
    bench.bar(
        f"worker’s peak memory, {what}",
        f"{mine['peak_mb']:.0f} MB (of it {mine['before_mb']:.0f} before it began)",
        mine["peak_mb"], "≤ 150 MB", most=150,
    )  # fmt: skip


PARTS: dict[str, Callable[[Bench], None]] = {
    "first": first,
    "latency": latency,
    "newest": newest,
    "many": many,
    "large": large_message,
    "idle": idle,
    "crm": crm,
    "search": search,
    "browser": browser,
    "tracking": tracking,
}


def main() -> None:
    """Run the parts and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--messages", type=int, default=20_000, help="messages of the first sync (default 20,000)")
    parser.add_argument("--many", type=int, default=200_000, help="messages of the large mailbox (default 200,000)")
    parser.add_argument("--idle", type=int, default=2000, help="idle connections (default 2,000)")
    parser.add_argument("--crm", type=int, default=1_000_000, help="messages of the part crm (default 1,000,000)")
    parser.add_argument("--minutes", type=float, default=10, help="minutes of the part tracking (default 10)")
    parser.add_argument("--quick", action="store_true", help="part tracking in a minute: three turns, then 15 s")
    parser.add_argument("--roundcube", action="store_true", help="part browser: let apt-get install Roundcube")
    parser.add_argument("--keep", type=Path, help="keep the databases of crm and browser here, to measure them again")
    parser.add_argument("--database", default="", help="an empty database (default: SQLite in a temporary folder)")
    parser.add_argument("--table", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown or min(options.messages, options.many, options.crm) < 1:
        parser.error(f"no such part: {', '.join(unknown)}" if unknown else "counts must be 1 or more")
    home = Path(tempfile.mkdtemp(prefix="mailcrm-bench-"))
    home.chmod(0o755)  # PostgreSQL runs as a user of its own
    parts = options.parts or list(PARTS)
    dovecot = DovecotServer()
    try:
        if set(parts) - {"crm", "search", "tracking"}:
            dovecot.start()
        lines = machine.describe()
        print("\n".join(lines), flush=True)
        bench = Bench(dovecot, home, options.messages, options.many, options.idle, options.database)
        bench.crm, bench.keep, bench.minutes = options.crm, options.keep, options.minutes
        bench.roundcube = options.roundcube
        if options.quick:
            bench.turns, bench.minutes = 3, 0.25
        for name in parts:
            PARTS[name](bench)
        table = _table(lines, bench)
        print(f"\n{table}")
        if options.table:
            options.table.write_text(table)
    finally:
        dovecot.stop()
        shutil.rmtree(home, ignore_errors=True)


def _table(lines: list[str], bench: Bench) -> str:
    cells = [("What", "Measured", "Bar", ""), ("---", "---", "---", "---"), *bench.rows]
    return "\n".join([*(f"- {line}" for line in lines), "", *(f"| {' | '.join(row)} |" for row in cells), ""])


if __name__ == "__main__":
    main()
