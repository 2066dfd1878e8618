"""Fixtures of servers, one of each a session; registered by tests/conftest.py through `pytest_plugins`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.servers.courier import PROGRAM as COURIER
from tests.servers.courier import CourierServer
from tests.servers.cyrus import PROGRAM as CYRUS
from tests.servers.cyrus import CyrusServer
from tests.servers.dovecot import PROGRAM as DOVECOT
from tests.servers.dovecot import DovecotServer
from tests.servers.oidc import OidcProvider
from tests.servers.postfix import PROGRAM as POSTFIX
from tests.servers.postfix import PostfixServer
from tests.servers.pymap import PymapServer
from tests.servers.smtp_sink import SmtpSink

_PROGRAMS = {
    "dovecot": DOVECOT,
    "cyrus": CYRUS,
    "courier": COURIER,
    "mbsync": shutil.which("mbsync"),
    "postfix": POSTFIX,
}


def needs(program: str) -> None:
    """Skip the test where a person lacks `program`; fail when CI=true."""
    if program not in _PROGRAMS:
        _PROGRAMS[program] = shutil.which(program)
    if _PROGRAMS[program]:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI must not skip its tests")
    how = "tests/run unpacks it" if program in ("cyrus", "courier") else f"apt-get install {program}"
    pytest.skip(f"{program} is not installed: on Debian, {how}")


@pytest.fixture(scope="session")
def dovecot() -> Iterator[DovecotServer]:
    """A running Dovecot without users; tests add their own, with names of their own."""
    needs("dovecot")
    server = DovecotServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def cyrus() -> Iterator[CyrusServer]:
    """A running Cyrus without users: CONDSTORE, QRESYNC, OBJECTID, MOVE, special use."""
    needs("cyrus")
    server = CyrusServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def courier() -> Iterator[CourierServer]:
    """A running Courier without users: no CONDSTORE, no MOVE, no special use."""
    needs("courier")
    server = CourierServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def pymap() -> Iterator[PymapServer]:
    """A running pymap without users: OBJECTID and MOVE, no CONDSTORE."""
    server = PymapServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def oidc() -> Iterator[OidcProvider]:
    """A running OpenID Connect provider in the part of Google and Microsoft; `oidc.in_charge()` makes it theirs."""
    server = OidcProvider()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def oauth_dovecot(oidc: OidcProvider) -> Iterator[DovecotServer]:
    """A Dovecot that asks that provider about every token."""
    needs("dovecot")
    server = DovecotServer(introspect=f"{oidc.url}/token/introspection", issuer=oidc.issuer)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def submission(oauth_dovecot: DovecotServer) -> Iterator[PostfixServer]:
    """A Postfix that takes mail by STARTTLS and sign-in, tokens too, and hands it on to `submission.sink`."""
    needs("postfix")
    sink = SmtpSink(auth=False)
    sink.start()
    server = PostfixServer(sink.port, dovecot=oauth_dovecot)
    server.sink = sink
    try:
        server.start()
        yield server
    finally:
        server.stop()
        sink.stop()


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A running SMTP sink without TLS and without users."""
    sink = SmtpSink()
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()
