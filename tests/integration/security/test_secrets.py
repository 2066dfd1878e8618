"""Secrets stay where they belong (security.md threat 11): planted ones are looked for in everything that is written or sent."""

from __future__ import annotations

import logging

import pytest
import structlog
from sqlmodel import select

from mailcrm import logs
from mailcrm.models import Mailbox
from mailcrm.services import crypto
from mailcrm.services.db import transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.providers.values import ServerSpec
from tests.integration.security.conftest import PASSWORD, Served
from tests.integration.security.wire import full_name
from tests.planted import spellings

MAIL_PASSWORD = "planted-mailbox-Passw0rd"
TYPED = "planted-typed-Passw0rd"
CLOSED = ServerSpec("127.0.0.1", 1, "none", "u")


def test_planted_secrets_are_nowhere(served: Served) -> None:
    """Database with WAL, queue, blobs, log, REST, frames and error answers: 0 occurrences."""
    eve = served.person("Planter")
    with served.inside():
        made = mailboxes.connect(
            eve.actor, mailboxes.MailboxInput("planted@crm.test", CLOSED, CLOSED, MAIL_PASSWORD), probe=False
        )
    seen = [served.rest(eve, "GET", path).text for path in ("/mailboxes", f"/mailboxes/{made.id}", "/me", "/threads")]
    seen.append(served.rest(eve, "POST", "/mailboxes", json={"address": "x", "password": TYPED, "imap": 1}).text)
    server = {"host": "127.0.0.1", "port": 1, "security": "none"}
    whole = {"address": "y@crm.test", "password": TYPED, "imap": server, "smtp": server}
    seen.append(served.rest(eve, "POST", "/mailboxes", json=whole).text)
    seen.append(served.post("/auth/login", {"email": eve.email, "password": TYPED}).headers["location"])
    fields = {"name": "x", "email": "bad", "password": TYPED, "token": "t"}
    seen += [served.post(f"/auth/{path}", fields).headers["location"] for path in ("setup", "invite")]
    tab = served.tab(eve, path="/settings/email-sync")
    tab.call("settings.mailboxes_state.load")
    form = {"mailbox_address": "z@crm.test", "mailbox_password": TYPED} | {
        f"mailbox_{kind}_{name}": value
        for kind in ("imap", "smtp")
        for name, value in (("host", "127.0.0.1"), ("port", "1"), ("security", "none"))
    }
    tab.call("connect.connect_state.start", {"form": form})
    tab.call("connect.connect_state.connect", {"form": form})
    tab.call("settings.mailboxes_state.sign_in_again", {"form": {"new_password": TYPED}})
    # A stale page names a handler that is gone, and Reflex logs the whole event; a wrong shape, and it logs the value.
    tab.call("!" + full_name("connect.connect_state.gone"), {"form": form})
    tab.call("connect.connect_state.connect", {"form": {"mailbox_password": [TYPED]}})
    tab.call("bell.bell_state.follow", {"notification_id": f"password={TYPED}", "thread_id": 1})
    tab.listen(0.5)
    texts = {
        "rest and redirects": "\n".join(seen).encode(),
        "frames": tab.text().encode(),
        "log": served.log.read_bytes(),
    }
    for path in sorted(served.data.rglob("*")):
        if path.is_file() and "key" not in path.name:
            texts[path.name] = path.read_bytes()
    assert any(name.endswith("-wal") for name in texts), "the control: the write-ahead log was looked into"
    assert b"planted@crm.test" in b"".join(texts.values()), "the control: what is no secret is found"
    for secret in (MAIL_PASSWORD, TYPED, PASSWORD, eve.secret, eve.token):
        for where, content in texts.items():
            for spelling in spellings(secret):
                assert spelling not in content, f"{secret[:12]}… in {where}"
    tab.close()


def test_a_sealed_secret_opens_only_in_its_row(served: Served) -> None:
    """AAD is the row: boxes that were swapped, cut or changed in a bit do not open."""
    eve = served.person("Sealer")
    with served.inside():
        ids = [
            mailboxes.connect(
                eve.actor, mailboxes.MailboxInput(f"s{n}@crm.test", CLOSED, CLOSED, MAIL_PASSWORD), probe=False
            ).id
            for n in range(2)
        ]
        with transaction() as session:
            rows = {row.id: row for row in session.exec(select(Mailbox).where(Mailbox.user_id == eve.actor.user_id))}
            one, two = (rows[each].secret for each in ids)
            assert one != two
        assert crypto.unseal(one, context=f"mailbox:{ids[0]}")["imap"] == MAIL_PASSWORD
        for box, context in [
            (one, f"mailbox:{ids[1]}"),
            (two, f"mailbox:{ids[0]}"),
            (one[:-1], f"mailbox:{ids[0]}"),
        ] + [(one[:at] + bytes([one[at] ^ 1]) + one[at + 1 :], f"mailbox:{ids[0]}") for at in range(len(one))]:
            with pytest.raises(Exception, match="key"):
                crypto.unseal(box, context=context)


def test_files_are_for_their_owner_only(served: Served) -> None:
    """The data folder and the key can be read by nobody else on the machine."""
    assert served.data.stat().st_mode & 0o077 == 0
    keys = [path for path in served.data.iterdir() if "key" in path.name]
    assert keys
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_line_is_one_line_without_secrets(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a stranger sent can neither forge a line nor carry a password into the log."""
    monkeypatch.setenv("MAILCRM_LOG", form)
    from mailcrm import config

    config.reset()
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    try:
        logs.setup("web")
        forged = "x\r\n2026-01-01T00:00:00Z [error    ] forged line\x1b[2J"
        event = {"payload": {"form": {"mailbox_password": TYPED, "new_password": TYPED}}, "name": "gone"}
        logging.getLogger("reflex").warning("Error processing event queue entry for Event(%r)", event)
        logging.getLogger("reflex").warning("argument with value '%s' and type hint int", forged)
        structlog.get_logger().warning("failed", answer=forged, password=TYPED, detail=f'{{"password": "{TYPED}"}}')
        said = capsys.readouterr().err
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        structlog.reset_defaults()
        config.reset()
    assert TYPED not in said
    assert said.count("\n") == 3, said
    assert "\x1b[2J" not in said
