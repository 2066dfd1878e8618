"""An Exchange mailbox is connected by its server's name, tried step by step, and never leads where it may not (M09, M11)."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailcrm.errors import PermanentError, UserError
from mailcrm.services.access import Actor
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.providers import hosts
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.watch import rows
from tests.builders import a_user
from tests.integration.ews.conftest import connect
from tests.integration.sync.conftest import raw
from tests.servers.ews import EwsServer


def given(server: EwsServer, password: str = "secret", host: str = "localhost") -> mailboxes.MailboxInput:
    spec = ServerSpec(host, server.port, "none", server.user)
    return mailboxes.MailboxInput("ann@home.test", spec, spec, password, kind="ews", provider="exchange")


def admin() -> Actor:
    return a_user("Ann", admin=True)


def test_connects_with_named_steps_and_syncs(db: str, server: EwsServer) -> None:
    actor, steps = admin(), []
    view = mailboxes.connect(actor, given(server))
    found = mailboxes.test_connection(actor, given(server), steps.append)
    assert [step.name for step in steps] == ["imap_name", "imap_tcp", "imap_sign_in", "imap_folders"]
    assert {folder.role for folder in found.folders} >= {"inbox", "sent", "drafts", "junk", "trash"}
    server.deliver(raw(1))
    report = sync_mailbox(view.id)
    assert (report.error, report.stored) == (None, 1)
    assert rows.targets() == {}, "IDLE is IMAP's: this one is looked at every half minute"


def test_a_wrong_password_is_said_and_nothing_saved(sqlite_db: Path, server: EwsServer) -> None:
    actor = admin()
    with pytest.raises(UserError) as refused:
        mailboxes.connect(actor, given(server, "wrong"))
    assert refused.value.code == "imap.wrong_password"
    assert mailboxes.list_mailboxes(actor) == ()


def test_reconnects_with_a_new_password(sqlite_db: Path, server: EwsServer) -> None:
    """M10."""
    actor = admin()
    view = mailboxes.connect(actor, given(server))
    server.password = "another"
    with pytest.raises(UserError, match="did not accept"):
        mailboxes.reconnect(actor, view.id, "secret")
    mailboxes.reconnect(actor, view.id, "another")
    server.deliver(raw(1))
    assert sync_mailbox(view.id).stored == 1


def test_members_learn_nothing_of_this_machines_ports(sqlite_db: Path, server: EwsServer) -> None:
    """security.md threat 6: HTTP on loopback is no mail server; open and closed look alike."""
    member = a_user("Eve")
    closed = given(server)
    for entered in (closed, mailboxes.MailboxInput(
        "eve@home.test", ServerSpec("localhost", 1, "none", "u"), ServerSpec("localhost", 1, "none", "u"), "p", kind="ews"
    )):  # fmt: skip
        found = mailboxes.test_connection(member, entered)
        assert found.failure is not None
        assert (found.failure.name, found.failure.code) == ("imap_name", "server.private")
    assert server.calls == []


def test_a_name_that_turns_inside_later_gains_nothing(
    sqlite_db: Path, server: EwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding of a connected mailbox: every connection vets what the name says then."""
    box = connect(server)
    server.deliver(raw(1))
    box.sync()
    resolve(monkeypatch, "10.0.0.7")
    report = sync_mailbox(box.mailbox_id)
    assert isinstance(report.error, PermanentError)
    assert report.error.code == "server.private"


def resolve(monkeypatch: pytest.MonkeyPatch, ip: str) -> None:
    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    monkeypatch.setattr(hosts.socket, "getaddrinfo", answer)


def test_exchangelib_is_paid_for_by_those_who_use_it() -> None:
    """30 MB and a second: no worker without such a mailbox imports it, nor the web process."""
    code = (
        "import sys, mailcrm.services.jobs.tasks, mailcrm.services.mail.mailboxes, mailcrm.services.mail.sync.engine\n"
        "print([name for name in sys.modules if name.startswith(('exchangelib', 'lxml'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
