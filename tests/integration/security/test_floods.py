"""A flood of strangers fills neither the web process's memory nor its log (attack of issue 10; threats 8, 14, 20)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.security.conftest import Person, Served
from tests.integration.security.wire import STATE, Tab

MOST_MB = 60  # more, in all, than a second round of the same takes
LOG_EACH = 4_500  # bytes of one event's line: its text is cut, and a traceback comes with it


def flood(served: Served, aino: Person, rounds: int) -> int:
    """Sockets that come and go, events of nobody, forged pixels and links, bodies with a token of nobody; how many events."""
    for _ in range(20 * rounds):
        with closing(Tab(served.url)) as tab:
            tab.send(f"{STATE}.hydrate", path="/login")
            tab._until(lambda text: "welcome" in text or "hydrated" in text)
    with closing(Tab(served.url)) as tab:
        for _ in range(100 * rounds):
            event = {"name": "nobody.knows", "payload": {"x": "a" * 20_000}, "token": tab.token, "router_data": {}}
            tab.raw("42/_event," + json.dumps(["event", event]))
        tab.settle()
    for _ in range(200 * rounds):
        served.client.get(f"/t/o/{secrets.token_urlsafe(32)}.gif", headers={"User-Agent": "a" * 4_000})
        served.client.get(f"/t/c/{secrets.token_urlsafe(32)}")
    for _ in range(20 * rounds):
        body = b'{"name": "' + b"a" * 1_000_000 + b'"}'
        headers = {"Authorization": "Bearer mcrm_nobody", "Content-Type": "application/json"}
        assert served.client.post("/api/v1/persons", content=body, headers=headers).status_code == 401
    with closing(served.tab(aino)) as tab:
        tab.call("nav.nav_state.load")
        assert aino.email in tab.text(), "and whoever is signed in is served"
    return 100 * rounds


def test_a_flood_fills_nothing(served: Served, aino: Person, record_property: Callable[[str, object], None]) -> None:
    """The first round brings what is loaded once; the second and longer one brings nothing more."""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc")
    flood(served, aino, 1)
    before, written = _megabytes(served.process.pid), served.log.stat().st_size
    events = flood(served, aino, 4)
    grown, each = _megabytes(served.process.pid) - before, (served.log.stat().st_size - written) / events
    record_property("measured", f"{grown:.0f} MB more, {each:.0f} bytes of log an event of 20,000")
    assert grown < MOST_MB
    assert each < LOG_EACH


def _megabytes(pid: int) -> float:
    """What a process and its children hold."""
    own = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(own) / 1024 + sum(_megabytes(int(child)) for child in below)
