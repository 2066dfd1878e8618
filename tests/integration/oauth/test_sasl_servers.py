"""Tokens at servers that offer less, or refuse in their own words: with and without SASL-IR, both mechanisms, long tokens.

Dovecot for OAUTHBEARER; for the rest a scripted server that keeps every line it was sent.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailcrm.errors import MailcrmError, NeedsReconnect, PermanentError, TransientError
from mailcrm.services.mail.imap.client import connect
from mailcrm.services.mail.oauth import libraries
from mailcrm.services.mail.oauth.values import app_of
from mailcrm.services.mail.outbox import smtp
from mailcrm.services.mail.providers.values import AccessToken, ServerSpec
from tests.servers.dovecot import DovecotServer
from tests.servers.fixtures import needs
from tests.servers.oidc import OidcProvider

GOOD, BAD = AccessToken("good-token"), AccessToken("bad-token")
JSON = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"mail"}')


class Scripted:
    """One connection at a time; answers `AUTHENTICATE` and `AUTH`, and keeps what it was sent."""

    def __init__(self, protocol: str, offers: str, refusal: str) -> None:
        self.protocol, self.offers, self.refusal = protocol, offers, refusal
        self.lines: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.spec = ServerSpec("localhost", self._listener.getsockname()[1], "none", "ann@x.test")
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(10)
                file = sock.makefile("rwb")
                try:
                    (self._imap if self.protocol == "imap" else self._smtp)(file)
                except (OSError, ValueError):
                    pass

    def _say(self, file, *lines: str) -> None:  # type: ignore[no-untyped-def]
        file.write("".join(f"{line}\r\n" for line in lines).encode())
        file.flush()

    def _read(self, file) -> str:  # type: ignore[no-untyped-def]
        line = file.readline()
        if not line:
            raise ValueError("closed")
        self.lines.append(line.decode().rstrip("\r\n"))
        return self.lines[-1]

    def _imap(self, file) -> None:  # type: ignore[no-untyped-def]
        self._say(file, f"* OK [CAPABILITY IMAP4rev1 {self.offers}] hi")
        while True:
            tag, _, rest = self._read(file).partition(" ")
            command, _, given = rest.partition(" ")
            if command.upper() == "AUTHENTICATE":
                first = given.partition(" ")[2]
                if not first:
                    self._say(file, "+ ")
                    first = self._read(file)
                if b"good-token" in base64.b64decode(first):
                    self._say(file, f"{tag} OK done")
                    continue
                self._say(file, f"+ {JSON.decode()}")
                self._read(file)
                self._say(file, f"{tag} {self.refusal}")
            elif command.upper() == "CAPABILITY":
                self._say(file, f"* CAPABILITY IMAP4rev1 {self.offers}", f"{tag} OK done")
            elif command.upper() == "LOGOUT":
                self._say(file, "* BYE", f"{tag} OK done")
                return
            else:
                self._say(file, f"{tag} OK done")

    def _smtp(self, file) -> None:  # type: ignore[no-untyped-def]
        self._say(file, "220 hi")
        while True:
            command, _, given = self._read(file).partition(" ")
            if command.upper() == "EHLO":
                self._say(file, "250-x", f"250 AUTH {self.offers}")
            elif command.upper() == "AUTH":
                first = given.partition(" ")[2]
                if not first:
                    self._say(file, "334 ")
                    first = self._read(file)
                if b"good-token" in base64.b64decode(first):
                    self._say(file, "235 done")
                    continue
                self._say(file, f"334 {JSON.decode()}")
                self._read(file)
                self._say(file, self.refusal)
            elif command.upper() == "QUIT":
                self._say(file, "221 bye")
                return
            else:
                self._say(file, "250 ok")


@contextmanager
def scripted(
    protocol: str, offers: str, refusal: str = "NO [AUTHENTICATIONFAILED] Invalid credentials"
) -> Iterator[Scripted]:
    server = Scripted(protocol, offers, refusal)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("at_once", [True, False])
def test_imap_signs_in_in_as_few_lines_as_the_server_allows(mechanism: str, at_once: bool) -> None:
    with scripted("imap", f"AUTH={mechanism}" + (" SASL-IR" if at_once else "")) as server:
        connect(server.spec, GOOD).close()
        sent = next(line for line in server.lines if "AUTHENTICATE" in line).split(" ")
        assert sent[2] == mechanism
        assert len(sent) == (4 if at_once else 3)
        server.lines.clear()
        with pytest.raises(NeedsReconnect) as refused:
            connect(server.spec, BAD)
        assert refused.value.code == "oauth.token_refused"
        after = server.lines[-1]
        assert after == ("" if mechanism == "XOAUTH2" else base64.b64encode(b"\x01").decode())
        token = base64.b64encode(f"auth=Bearer {BAD.value}".encode()).decode()[:12]
        assert sum("auth=Bearer" in _plain(line) for line in server.lines) == 1, f"the token is sent once ({token})"


@pytest.mark.parametrize(
    ("refusal", "kind", "code"),
    [
        ("NO [UNAVAILABLE] Temporary authentication failure", NeedsReconnect, "oauth.token_refused"),
        ("NO [ALERT] Too many simultaneous connections", NeedsReconnect, "oauth.token_refused"),
    ],
)
def test_what_the_document_says_counts_before_the_servers_words(refusal: str, kind: type[Exception], code: str) -> None:
    """Status 401 in the JSON is about the token whatever the NO says afterwards; another token is tried."""
    with scripted("imap", "AUTH=XOAUTH2 SASL-IR", refusal) as server, pytest.raises(kind) as refused:
        connect(server.spec, BAD)
    assert isinstance(refused.value, MailcrmError)
    assert refused.value.code == code


def test_a_server_with_neither_mechanism_never_sees_the_token() -> None:
    with scripted("imap", "AUTH=PLAIN AUTH=LOGIN") as server:
        with pytest.raises(PermanentError) as refused:
            connect(server.spec, GOOD)
        assert refused.value.code == "oauth.no_mechanism"
        assert not any("good-token" in _plain(line) or "good-token" in line for line in server.lines)
    with scripted("smtp", "PLAIN LOGIN") as server:
        with pytest.raises(PermanentError) as refused:
            smtp.check_login(server.spec, GOOD)
        assert refused.value.code == "oauth.no_mechanism"
        assert not any("good-token" in _plain(line) for line in server.lines)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_smtp_sends_a_long_token_in_a_line_of_its_own(mechanism: str) -> None:
    """RFC 4954 §4: a command line has 512 octets; Microsoft's tokens have two thousand."""
    with scripted("smtp", mechanism, "535 5.7.8 no") as server:
        smtp.check_login(server.spec, GOOD)
        assert len(next(line for line in server.lines if line.startswith("AUTH")).split(" ")) == 3
        server.lines.clear()
        smtp.check_login(server.spec, AccessToken("good-token" + "x" * 2000))
        assert f"AUTH {mechanism}" in server.lines
        assert all(len(line) < 512 for line in server.lines if line.startswith("AUTH"))
        with pytest.raises(NeedsReconnect) as refused:
            smtp.check_login(server.spec, BAD)
        assert refused.value.code == "oauth.token_refused"


def test_smtp_that_is_busy_is_not_a_refusal() -> None:
    with scripted("smtp", "XOAUTH2", "454 4.7.0 Temporary authentication failure") as server:
        with pytest.raises(TransientError):
            smtp.check_login(server.spec, BAD)


def test_oauthbearer_at_dovecot(oidc: OidcProvider) -> None:
    needs("dovecot")
    oidc.control(fresh=True)
    server = DovecotServer(introspect=f"{oidc.url}/token/introspection", issuer=oidc.issuer, mechanisms=" oauthbearer")
    try:
        server.start()
        server.add_user("ann@loop.test", "never used")
        with oidc.in_charge():
            app, library = app_of("google"), libraries.of("google")
            journey = library.begin(app, "a state", "ann@loop.test")
            grant = library.finish(app, journey.kept, oidc.walk(journey.url, "ann@loop.test"))
            with connect(server.spec("ann@loop.test", "ssl"), AccessToken(grant.access)) as connection:
                assert connection.list_folders()
            with pytest.raises(NeedsReconnect) as refused:
                connect(server.spec("ann@loop.test", "ssl"), AccessToken("nonsense"))
            assert refused.value.code == "oauth.token_refused"
    finally:
        server.stop()


def _plain(line: str) -> str:
    """What a line says, each of its words decoded if it is base64."""
    said = ""
    for word in line.split():
        try:
            said += base64.b64decode(word, validate=True).decode("latin-1")
        except ValueError:
            said += word
    return said
