"""Planted passwords and tokens are nowhere in clear after a life through real processes (M09, issue 7, security.md 11)."""

from __future__ import annotations

import base64
import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from starlette.testclient import TestClient

from mailcrm import config
from mailcrm.endpoints.api import app
from mailcrm.errors import UserError
from mailcrm.models import Mailbox
from mailcrm.models.base import utcnow
from mailcrm.services.auth import account_letters, second, sessions, totp, users
from mailcrm.services.db import engine, transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.oauth import tokens
from mailcrm.services.mail.oauth.values import Grant
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.mail.providers.values import ServerSpec
from tests.builders import a_mailbox, a_user
from tests.conftest import ROOT
from tests.integration.sync.conftest import raw
from tests.planted import spellings, unpacked
from tests.servers.ews import EwsServer, Fault

PLANTED = {
    "exchange": "planted-Exchange-Passw0rd",
    "wrong": "planted-Wrong-Passw0rd",
    "imap": "planted-Imap-Passw0rd",
    "access": "planted-Access-Token-0123456789",
    "refresh": "planted-Refresh-Token-0123456789",
    "client": "planted-Client-Secret-0123456789",
    "user": "planted-User-Passw0rd",
    "passphrase": "planted-Passphrase-of-the-backup",
}


class Echo(socketserver.StreamRequestHandler):
    """A mail server that says back what it was told, which is the worst that one can do."""

    def handle(self) -> None:
        self.wfile.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR] 220 hello\r\n")
        for line in self.rfile:
            tag, _, rest = line.strip().partition(b" ")
            decoded = base64.b64decode((rest.split() or [b""])[-1] + b"===", validate=False)
            said = rest + b" / " + decoded.replace(b"\x01", b" ").replace(b"\0", b" ")
            if rest.upper().startswith(b"CAPABILITY"):
                self.wfile.write(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR\r\n" + tag + b" OK done\r\n")
            else:
                self.wfile.write(tag + b" NO what is " + said + b"\r\n")


@contextmanager
def echoing() -> Iterator[int]:
    """A server of `Echo` on a port of its own."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


def command(log: Path, *arguments: str, stdin: str = "") -> None:
    """Run `python -m mailcrm …`; what it says goes to the log."""
    run = [sys.executable, "-m", "mailcrm", *arguments]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, timeout=120, check=False, input=stdin.encode())
    with log.open("ab") as file:
        file.write(done.stdout + done.stderr)


def everything(folder: Path) -> dict[str, bytes]:
    """What was written: every file of the data folder but the key, unpacked, and every value of every table as text."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "key" not in path.name:
            found |= unpacked(str(path.relative_to(folder)), path.read_bytes())
    with engine().connect() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()  # noqa: S608  our own tables' names
            values = [bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode() for row in rows for v in row]
            found[f"table {table}"] = b"\n".join(values)
    built = ROOT / ".web" / "build"
    for path in built.rglob("*.js") if built.is_dir() else ():
        found[f".web/{path.relative_to(built)}"] = path.read_bytes()
    return found


def account_secrets(email: str) -> dict[str, str]:
    """What the app itself made for a user who signs in with two steps and asked for a link; each was told once."""
    users.create(name="Two", email=email, password=PLANTED["user"])
    two = users.by_email(email)
    enrolment = second.begin(two, PLANTED["user"])
    seed = enrolment.secret.replace(" ", "")
    codes = second.confirm(two, totp.code(base64.b32decode(seed), int(time.time()) // totp.STEP_S))
    with transaction() as session:
        secrets = sessions.start(session, two.user_id), account_letters.ticket(session, two.user_id)
    with pytest.raises(UserError):
        sessions.sign_in(email, PLANTED["wrong"])
    made = {"seed": seed, "seed in hex": base64.b32decode(seed).hex(), "session": secrets[0], "link": secrets[1]}
    return made | {f"recovery code {n}": code.replace("-", "") for n, code in enumerate(codes)}


def test_planted_secrets_are_in_nothing_that_was_written(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connect, wrong password, sync, send, a crash with its traceback, servers that say secrets back: 0 occurrences."""
    log = tmp_path / "processes.log"
    for name, value in {
        "MAILCRM_LOG": "json",
        "MAILCRM_GOOGLE_CLIENT_ID": "client",
        "MAILCRM_GOOGLE_CLIENT_SECRET": PLANTED["client"],
        "MAILCRM_OAUTH_GOOGLE_TOKEN_URL": "https://localhost:1/token",
    }.items():
        monkeypatch.setenv(name, value)
    config.reset()
    actor = a_user("Ann", admin=True)
    seen: list[bytes] = []
    with EwsServer(password=PLANTED["exchange"]) as exchange, echoing() as port:
        spec = ServerSpec("localhost", exchange.port, "none", exchange.user)
        entered = mailboxes.MailboxInput("ann@home.test", spec, spec, PLANTED["wrong"], kind="ews")
        with pytest.raises(UserError) as refused:
            mailboxes.connect(actor, entered)
        seen.append(str(refused.value).encode())
        made = mailboxes.connect(
            actor, mailboxes.MailboxInput("ann@home.test", spec, spec, PLANTED["exchange"], kind="ews")
        )
        mail = ServerSpec("localhost", port, "none", "bob@home.test")
        given = mailboxes.MailboxInput("bob@home.test", mail, mail, PLANTED["imap"])
        seen += [repr(step).encode() for step in mailboxes.test_connection(actor, given).steps]
        imap = mailboxes.connect(actor, given, probe=False)
        google = a_mailbox(
            actor, "eve@home.test", auth="google", imap_host="localhost", imap_port=port, imap_username="eve@home.test"
        )
        expired = a_mailbox(actor, "old@home.test", auth="google", imap_host="localhost", imap_port=port)
        with transaction() as session:
            for mailbox_id, ends in ((google, 50), (expired, -50)):
                row = session.get_one(Mailbox, mailbox_id)
                row.token_expires_at = utcnow() + timedelta(minutes=ends)
                row.secret = tokens.seal(
                    mailbox_id, Grant(PLANTED["refresh"], PLANTED["access"], row.token_expires_at, "sub", row.address)
                )
                session.add(row)
        exchange.deliver(raw(1))
        command(log, "sync")
        exchange.deliver(raw(2))
        with transaction() as session:
            session.exec(text("ALTER TABLE remote_items RENAME TO hidden_items"))  # type: ignore[call-overload]
        command(log, "sync", "--mailbox", "ann@home.test")  # a statement fails, with its parameters
        with transaction() as session:
            session.exec(text("ALTER TABLE hidden_items RENAME TO remote_items"))  # type: ignore[call-overload]
        exchange.faults.append(Fault("SyncFolderItems", "garbage", times=2))
        command(log, "sync", "--mailbox", "ann@home.test")
        for mailbox_id in (made.id, imap.id, google):
            written = draft.new_draft(actor, mailbox_id=mailbox_id)
            draft.save(actor, written.id, DraftInput(mailbox_id, "mika@saimaa.test", "", "", "Hi", "<p>x</p>"))
            queue.send(actor, written.id, delay_s=0)
        process = subprocess.Popen(
            [sys.executable, "-m", "mailcrm", "worker"], cwd=ROOT, stdout=log.open("ab"), stderr=subprocess.STDOUT
        )
        try:
            wait_for(lambda: bool(exchange.sent), process)
        finally:
            process.terminate()
            process.wait(30)
        made_here = account_secrets("two@home.test")
        for arguments in (["status", "--json"], ["mailbox", "list", "--json"], ["doctor"]):
            command(log, *arguments)
    made_here["token"] = users.create_token(actor)
    client = TestClient(app, headers={"Authorization": f"Bearer {made_here['token']}"})
    with client:
        for path in (
            "/mailboxes",
            f"/mailboxes/{made.id}",
            f"/mailboxes/{imap.id}",
            "/me",
            "/threads",
            "/outbox",
            "/x",
        ):
            seen.append(client.get(path).content)
        body = {"address": "x", "password": PLANTED["wrong"], "imap": 1}
        seen.append(client.post("/mailboxes", content=json.dumps(body)).content)
    command(log, "backup", str(tmp_path / "saved.backup"), "--passphrase-stdin", stdin=PLANTED["passphrase"])
    made_here |= {f"key {n}": key for n, key in enumerate(config.config().secret_keys)}
    texts = everything(tmp_path) | {"answers": b"\n".join(seen)}
    whole = b"".join(texts.values())
    assert b"ann@home.test" in whole, "the control: what is no secret is found"
    assert b"Traceback" in texts["processes.log"], "the control: a process told of a crash"
    saved = b"".join(content for name, content in texts.items() if name.startswith("saved.backup/"))
    assert b"two@home.test" in saved, "the control: a backup was made, and it can be read"
    assert b"planted-" not in whole, [name for name, content in texts.items() if b"planted-" in content]
    for name, secret in (PLANTED | made_here).items():
        for where, content in texts.items():
            for spelling in spellings(secret):
                assert spelling not in content, f"{name} in {where}"


def wait_for(done: object, process: subprocess.Popen[bytes]) -> None:
    """Wait until something happened, as long as the process lives."""
    waiting = threading.Event()
    for _ in range(600):
        if callable(done) and done():
            return
        assert process.poll() is None, "the worker ended"
        waiting.wait(0.1)
    raise AssertionError("the worker did not send")
