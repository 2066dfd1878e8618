"""Fixtures `dovecot`, `smtp_sink`; registered by tests/conftest.py through `pytest_plugins`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.servers.dovecot import PROGRAM as DOVECOT
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

_PROGRAMS = {"dovecot": DOVECOT, "mbsync": shutil.which("mbsync")}


def needs(program: str) -> None:
    """Skip the test where a person lacks `program`; fail when CI=true."""
    if program not in _PROGRAMS:
        _PROGRAMS[program] = shutil.which(program)
    if _PROGRAMS[program]:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI must not skip its tests")
    pytest.skip(f"{program} is not installed: on Debian, apt-get install {program}")


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


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A running SMTP sink without TLS and without users."""
    sink = SmtpSink()
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()
