"""Where a mailbox's servers may be (security.md threat 6): asked through the verbs, with the connection itself watched.

The resolver is replaced, because names such as 10.0.0.1.nip.io do not resolve here; what the socket is opened to is
recorded, so that a check without a consequence would be seen.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mailcrm import config
from mailcrm.errors import MailcrmError, UserError
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.providers import hosts, probe
from mailcrm.services.mail.providers.values import ServerSpec
from tests.builders import a_user

#: Spellings that a resolver turns into the address beside them.
SPELLINGS = {
    "169.254.169.254": "169.254.169.254", "metadata.google.internal": "169.254.169.254", "10.0.0.1": "10.0.0.1",
    "192.168.0.1": "192.168.0.1", "172.31.255.255": "172.31.255.255", "100.64.0.1": "100.64.0.1",
    "2852039166": "169.254.169.254", "0xa9fea9fe": "169.254.169.254", "0251.0376.0251.0376": "169.254.169.254",
    "10.1": "10.0.0.1", "167772161": "10.0.0.1", "0x0a.0.0.1": "10.0.0.1", "012.0.0.1": "10.0.0.1",
    "10.0.0.1.nip.io": "10.0.0.1", "169.254.169.254.sslip.io": "169.254.169.254", "[::ffff:10.0.0.1]": "::ffff:10.0.0.1",
    "::ffff:a00:1": "::ffff:10.0.0.1", "mapped.test": "::ffff:169.254.169.254", "nat64.test": "64:ff9b::a00:1",
    "sixtofour.test": "2002:a00:1::1", "teredo.test": "2001:0:0:0:0:0:f5ff:fffe", "compatible.test": "::10.0.0.1",
    "ula.test": "fd12:3456::1", "linklocal.test": "fe80::1", "site.test": "fec0::1", "localnat64.test": "64:ff9b:1::a00:1", "tunnel.test": "2002:7f00:1::1", "gateway.test": "64:ff9b::7f00:1", "zero.test": "0.0.0.0",  # noqa: S104
    "unspecified.test": "::", "multicast.test": "224.0.0.1", "broadcast.test": "255.255.255.255",
    "benchmark.test": "198.18.0.1", "documentation.test": "192.0.2.1", "protocol.test": "192.0.0.170",
    "１０.０.０.１": "10.0.0.1", "10。0。0。1": "10.0.0.1",
}  # fmt: skip
NEVER = ("169.254.", "fe80", "::ffff:169.254", "0.0.0.0", "::", "224.", "255.")  # noqa: S104


class Network:
    """A resolver with answers of ours, and a list of the addresses that sockets were opened to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.opened: list[str] = []
        monkeypatch.setattr(hosts.socket, "getaddrinfo", self.resolve)
        monkeypatch.setattr(hosts.socket, "create_connection", self.connect)

    def resolve(self, host: str, port: int, **_options: Any) -> list[Any]:
        script = self.answers[host]
        now = script.pop(0) if len(script) > 1 else script[0]
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port)) for ip in now]

    def connect(self, address: tuple[str, int], **_options: Any) -> socket.socket:
        self.opened.append(address[0])
        raise ConnectionRefusedError


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


@pytest.fixture(params=[False, True], ids=["default", "private allowed"])
def allowed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, sqlite_db: object) -> Iterator[bool]:
    monkeypatch.setenv("MAILCRM_ALLOW_PRIVATE_HOSTS", "1" if request.param else "0")
    config.reset()
    yield request.param
    config.reset()


def attempt(host: str, security: Any = "ssl") -> str:
    """Connect a mailbox there; return the error's code."""
    server = ServerSpec(host, 993, security, "u")
    with pytest.raises(UserError) as caught:
        mailboxes.connect(a_user(), mailboxes.MailboxInput("a@crm.test", server, server, "pw"))
    return caught.value.code


@pytest.mark.parametrize(("host", "ip"), SPELLINGS.items())
def test_private_addresses_are_not_reached(network: Network, allowed: bool, host: str, ip: str) -> None:
    """No socket is opened to private space in any spelling; the setting opens private networks, never metadata's."""
    network.answers[host] = [[ip]]
    code = attempt(host)
    never = ip in ("::", "0.0.0.0", "2002:7f00:1::1", "64:ff9b::7f00:1") or ip.startswith(
        tuple(each for each in NEVER if each != "::")
    )  # noqa: S104
    if not allowed or never:
        assert code == "server.private"
        assert network.opened == []


@pytest.mark.parametrize(
    "answers", [["93.184.216.34", "10.0.0.1"], ["10.0.0.1", "93.184.216.34"], ["2606:4700::1111", "::ffff:10.0.0.1"]]
)
def test_one_private_answer_among_public_ones_is_enough(
    network: Network, sqlite_db: object, answers: list[str]
) -> None:
    """A name with both is an attack, or a mistake; neither is tried."""
    network.answers["both.test"] = [answers]
    assert attempt("both.test") == "server.private"
    assert network.opened == []


def test_a_name_that_flips_gains_nothing(network: Network, sqlite_db: object) -> None:
    """DNS rebinding: the socket goes to an address that was looked at, whatever the next answer is."""
    network.answers["flip.test"] = [["93.184.216.34"], ["10.0.0.1"]]
    attempt("flip.test")
    assert not [ip for ip in network.opened if not hosts.is_allowed(ip, allow_private=False)]
    network.opened.clear()
    network.answers["flop.test"] = [["93.184.216.34"]] * 2 + [["169.254.169.254"]]
    attempt("flop.test")
    assert set(network.opened) <= {"93.184.216.34"}
    assert network.opened, "the control: a public address is tried"


def test_each_connection_looks_once_and_goes_there(network: Network, sqlite_db: object) -> None:
    """The vetted address and the connected address are one: the name is never given to the socket."""
    network.answers["mail.test"] = [["93.184.216.34"]]
    with pytest.raises(ConnectionRefusedError):
        hosts.open_socket("mail.test", 993, allow_private=False, loopback_only=False, timeout=1)
    assert network.opened == ["93.184.216.34"]


@pytest.mark.parametrize(
    "ip", ["93.184.216.34", "10.0.0.1", "2606:4700::1111", "128.0.0.1", "::ffff:93.184.216.34", "2002:7f00:1::1"]
)
def test_clear_text_only_on_this_machine(network: Network, allowed: bool, ip: str) -> None:
    """The contract: a mail server without TLS is accepted on a loopback address, with no setting that changes it."""
    network.answers["clear.test"] = [[ip]]
    assert attempt("clear.test", "none") in ("server.clear_text", "server.private")
    assert network.opened == []


@pytest.mark.parametrize(
    "host", ["a\r\nb", "a\x00b", "", " ", "user@host", "a/b", "http://x", "-" * 300, "a" * 5000, "\ud800", "..", "*"]
)
def test_hosts_that_are_none(sqlite_db: object, host: str) -> None:
    """A sentence, and no exception of a resolver."""
    with pytest.raises((MailcrmError, ConnectionRefusedError)):  # "*" is this machine to some resolvers
        hosts.open_socket(host, 993, allow_private=False, loopback_only=False, timeout=3)


def test_a_member_learns_nothing_of_this_machines_ports(sqlite_db: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed, silent, or another program's: one answer, as late. An administrator is told (demo servers live there)."""
    quiet, web = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: web.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n"), daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    said: list[tuple[str, str]] = []
    waits: list[float] = []
    clock = SimpleNamespace(sleep=waits.append, monotonic=time.monotonic)  # the probe's alone: other threads sleep, too
    monkeypatch.setattr(probe, "time", clock)
    for port in (closed, quiet.getsockname()[1], web.getsockname()[1]):
        server = ServerSpec("127.0.0.1", port, "none", "u")
        found = probe.probe_mailbox(server, "pw", None, discreet=True, step_s=1.0)
        assert found.failure is not None
        said.append((found.failure.name, found.failure.code))
    assert said == [("imap_tcp", "server.private")] * 3
    assert len(waits) == 3, "a quick answer tells a closed port"
    assert waits[0] > 0
    server = ServerSpec("127.0.0.1", closed, "none", "u")
    given = mailboxes.MailboxInput("a@crm.test", server, server, "pw")
    codes = []
    for actor in (a_user(), a_user(admin=True)):
        failure = mailboxes.test_connection(actor, given).failure
        assert failure is not None
        codes.append(failure.code)
    assert codes == ["server.private", "server.refused"]
    quiet.close()
    web.close()
