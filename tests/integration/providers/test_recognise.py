"""M09: an address is recognised from the table, its domain's own file, SRV, MX; over real DNS and TLS on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from mailcrm.errors import PermanentError
from mailcrm.services.mail.providers import hosts, recognise
from mailcrm.services.mail.providers.lookups import Network, _open
from tests.servers.certificates import Issuer
from tests.unit.services.mail.providers.test_autoconfig import GOOD

FILE = "/mail/config-v1.1.xml"
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"


class Names:
    """A DNS server on loopback: `records` by (name, type); `silent` names get no answer."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._sock.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(data)
            name, kind = query.question[0].name.to_text(True).lower(), dns.rdatatype.to_text(query.question[0].rdtype)
            self.asked.append((name, kind))
            if name in self.silent:
                continue
            answer = dns.message.make_response(query)
            if found := self.records.get((name, kind)):
                answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind, *found))
            with contextlib.suppress(OSError):  # the test is over
                self._sock.sendto(answer.to_wire(), peer)

    def resolver(self) -> dns.resolver.Resolver:
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], self.port
        return made

    def close(self) -> None:
        self._sock.close()


class Web:
    """HTTPS servers by name, each on a port of its own: `pages` by (host, path) are whole answers."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.pages: dict[tuple[str, str], bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.opened: list[str] = []
        self._ports: dict[str, int] = {}
        self._socks: list[socket.socket] = []

    def add(self, host: str, path: str, body: bytes, status: str = "200 OK", extra: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self.pages[host, path] = head.encode() + body
        if host not in self._ports:
            listener = socket.create_server(("127.0.0.1", 0))
            self._socks.append(listener)
            self._ports[host] = listener.getsockname()[1]
            context = self.issuer.server_context(host)
            threading.Thread(target=self._serve, args=(host, listener, context), daemon=True).start()

    def _serve(self, host: str, listener: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            try:
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as sock:
                    path = sock.recv(4096).decode("latin-1").split(" ")[1]
                    self.asked.append((host, path))
                    page = self.pages.get((host, path), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    if page in (b"drip", b"drip its header"):
                        end = b"\r\n\r\n" if page == b"drip" else b"\r\nX: "
                        for byte in b"HTTP/1.1 200 OK" + end + b" " * 1000:
                            sock.sendall(bytes([byte]))
                            time.sleep(0.05)
                    sock.sendall(page)
            except (OSError, ValueError, IndexError):
                if listener.fileno() < 0:
                    return

    def open(self, host: str, port: int, timeout: float) -> socket.socket:
        assert port == 443
        self.opened.append(host)
        if host not in self._ports:
            raise ConnectionRefusedError(host)
        return socket.create_connection(("127.0.0.1", self._ports[host]), timeout)

    def close(self) -> None:
        for each in self._socks:
            each.close()


class World:
    """A net of our own."""

    def __init__(self, home: Path) -> None:
        self.names, self.web = Names(), Web(Issuer(home))
        context = self.web.issuer.client_context()
        self.network = Network(self.names.resolver, self.web.open, lambda: context, patience_s=1.0)

    def ask(self, address: str) -> tuple[str, str, str, str]:
        found = recognise.recognise(address, self.network, budget_s=2.0)
        assert found.imap.username
        return found.how, found.provider.key, found.imap.host, found.smtp.host


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    recognise.forget()
    made = World(tmp_path)
    yield made
    made.names.close()
    made.web.close()
    recognise.forget()


def test_a_domain_of_the_table_asks_nobody(world: World) -> None:
    assert world.ask("ann@gmx.co.uk") == ("domain", "gmx", "imap.gmx.com", "mail.gmx.com")
    assert world.ask("Ann@GMail.com")[:2] == ("domain", "gmail")
    assert world.names.asked == []
    assert world.web.opened == []


@pytest.mark.parametrize(("host", "path"), [("autoconfig.tidewater.io", FILE), ("tidewater.io", WELL_KNOWN)])
def test_the_domains_own_file(world: World, host: str, path: str) -> None:
    world.web.add(host, path, GOOD.encode())
    found = recognise.recognise("ann@tidewater.io", world.network, budget_s=3.0)
    assert (found.how, found.imap.host, found.imap.username) == ("autoconfig", "imap.tidewater.io", "ann")
    assert found.smtp.username == "ann@tidewater.io"
    assert all("ann" not in path for _, path in world.web.asked)  # the address is nobody's business
    # The next one of the same domain is answered from memory, with their own name.
    again = recognise.recognise("bob@tidewater.io", world.network)
    assert (again.imap.username, again.smtp.username) == ("bob", "bob@tidewater.io")
    assert len(world.web.asked) == 1


def test_a_file_that_names_a_known_provider_brings_its_quirks(world: World) -> None:
    raw = GOOD.replace("IMAP.%EMAILDOMAIN%", "imap.qiye.163.com").replace("smtp.tidewater.io", "smtp.qiye.163.com")
    world.web.add("autoconfig.tidewater.io", FILE, raw.encode())
    assert world.ask("ann@tidewater.io") == (
        "autoconfig", "netease_enterprise", "imap.qiye.163.com", "smtp.qiye.163.com"
    )  # fmt: skip


def test_srv_records(world: World) -> None:
    world.names.records["_imaps._tcp.tidewater.io", "SRV"] = ["20 1 993 b.tidewater.io.", "10 1 1993 a.tidewater.io."]
    world.names.records["_submission._tcp.tidewater.io", "SRV"] = ["10 1 587 send.tidewater.io."]
    found = recognise.recognise("ann@tidewater.io", world.network, budget_s=2.0)
    assert (found.how, found.imap.host, found.imap.port, found.imap.security) == ("srv", "a.tidewater.io", 1993, "ssl")
    assert (found.smtp.host, found.smtp.port, found.smtp.security) == ("send.tidewater.io", 587, "starttls")


def test_a_service_that_is_declared_absent_is_not_used(world: World) -> None:
    """RFC 6186 §3.4: a target of "." says so."""
    world.names.records["_imaps._tcp.tidewater.io", "SRV"] = ["0 0 0 ."]
    world.names.records["_submission._tcp.tidewater.io", "SRV"] = ["0 0 587 send.tidewater.io."]
    assert world.ask("ann@tidewater.io")[0] == "guess"


@pytest.mark.parametrize(
    ("mx", "key", "imap"),
    [
        ("1 aspmx.l.google.com.", "gmail", "imap.gmail.com"),
        ("0 tidewater-io.mail.protection.outlook.com.", "microsoft365", "outlook.office365.com"),
        ("10 mx.yandex.net.", "yandex", "imap.yandex.com"),
        ("10 spool.mail.gandi.net.", "gandi", "mail.gandi.net"),
        ("5 mxbiz1.qq.com.", "exmail", "imap.exmail.qq.com"),
        ("10 mail.box12.bluehost.com.", "bluehost", "mail.tidewater.io"),
        ("10 mx01.mail.icloud.com.", "icloud", "imap.mail.me.com"),
    ],
)
def test_who_receives_a_domains_mail_is_its_provider(world: World, mx: str, key: str, imap: str) -> None:
    world.names.records["tidewater.io", "MX"] = [mx, "90 backup.example.org."]
    assert world.ask("ann@tidewater.io")[:3] == ("mx", key, imap)


def test_the_best_mx_counts_and_a_filter_before_it_hides_nobody_else(world: World) -> None:
    world.names.records["tidewater.io", "MX"] = ["50 mx.yandex.net.", "10 mx.soverin.net."]
    assert world.ask("ann@tidewater.io")[1] == "soverin"
    world.names.records["filtered.io", "MX"] = ["10 mx1.filter.example.", "20 mx2.filter.example."]
    assert world.ask("ann@filtered.io")[:2] == ("guess", "generic")


def test_a_web_hosters_file_does_not_hide_google(world: World) -> None:
    """Hosters answer autoconfig for every domain they know; the mail of many is elsewhere."""
    world.web.add("autoconfig.tidewater.io", FILE, GOOD.encode())
    world.names.records["tidewater.io", "MX"] = ["1 aspmx.l.google.com."]
    assert world.ask("ann@tidewater.io")[:2] == ("mx", "gmail")


def test_names_that_exist_are_a_better_guess(world: World) -> None:
    world.names.records["mail.tidewater.io", "A"] = ["192.0.2.1"]
    assert world.ask("ann@tidewater.io") == ("names", "generic", "mail.tidewater.io", "mail.tidewater.io")


@pytest.mark.parametrize(
    ("status", "extra", "body"),
    [
        ("301 Moved", "Location: https://127.0.0.1/x\r\n", b""),
        ("302 Found", "Location: https://169.254.169.254/latest\r\n", b""),
        ("404 Not Found", "", GOOD.encode()),
        ("200 OK", "", b"<html>no such page</html>"),
        ("200 OK", "", GOOD.encode() + b" " * 200_000),
    ],
)
def test_redirects_errors_and_floods_say_nothing(world: World, status: str, extra: str, body: bytes) -> None:
    world.web.add("autoconfig.tidewater.io", FILE, body, status, extra)
    assert world.ask("ann@tidewater.io")[0] == "guess"
    assert set(world.web.opened) <= {"autoconfig.tidewater.io", "tidewater.io"}


def test_a_certificate_of_another_name_says_nothing(world: World) -> None:
    world.web.add("other.example", FILE, GOOD.encode())
    world.web._ports["autoconfig.tidewater.io"] = world.web._ports["other.example"]
    assert world.ask("ann@tidewater.io")[0] == "guess"


def test_who_never_answers_is_not_waited_for(world: World) -> None:
    world.names.silent |= {"slow.io", "_imaps._tcp.slow.io", "imap.slow.io", "mail.slow.io", "smtp.slow.io"}
    world.web.add("autoconfig.slow.io", FILE, b"")
    world.web.pages["autoconfig.slow.io", FILE] = b"drip"
    started = time.monotonic()
    assert world.ask("ann@slow.io")[0] == "guess"
    assert time.monotonic() - started < 10  # seconds; the budget is two
    world.names.silent.clear()
    world.names.records["slow.io", "MX"] = ["10 mx.soverin.net."]
    assert world.ask("ann@slow.io")[1] == "soverin"  # a guess is not remembered


def test_a_header_that_drips_is_cut_off(world: World) -> None:
    """Its thread is one of twelve for everybody: twelve such domains would stop recognition for all."""
    world.web.add("autoconfig.slow.io", FILE, b"")
    world.web.pages["autoconfig.slow.io", FILE] = b"drip its header"
    started = time.monotonic()
    assert world.network.autoconfig("ann@slow.io") is None
    assert time.monotonic() - started < 20  # seconds; the header takes fifty, the patience is one


@pytest.mark.parametrize(
    "address", ["", "ann", "@", "ann@", "@b.io", "ann@localhost", "ann@10.0.0.1", "a@b..io", "a@b.io/../x", "a@b c.io",
                "ann@tidewater.example", "ann@x.test", "ann@" + "a" * 300 + ".io", "ann@-a.io", "a@\udcff.io"]
)  # fmt: skip
def test_what_is_no_domain_asks_nobody(world: World, address: str) -> None:
    assert recognise.recognise(address, world.network).how == "guess"
    assert world.names.asked == []
    assert world.web.opened == []


def test_a_japanese_domain_is_asked_for_in_letters(world: World) -> None:
    world.names.records["xn--wgv71a119e.jp", "MX"] = ["10 mx.soverin.net."]
    assert world.ask("ann@日本語.jp")[1] == "soverin"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "0177.0.0.1"])
def test_nothing_private_is_asked_for_a_file(host: str) -> None:
    """Threat 6: a domain must not make us fetch from this machine or its network."""
    with pytest.raises((PermanentError, OSError)) as caught:
        _open(host, 443, 1.0)
    assert isinstance(caught.value, PermanentError) or host == "0177.0.0.1"


def test_mail_servers_may_be_on_this_machine_but_files_not() -> None:
    assert hosts.resolve("127.0.0.1", 1, allow_private=False, loopback_only=False, timeout=1) == ["127.0.0.1"]
    with pytest.raises(PermanentError):
        hosts.resolve(
            "127.0.0.1", 1, allow_private=True, loopback_only=False, timeout=1, allow_loopback=False
        )  # fmt: skip
