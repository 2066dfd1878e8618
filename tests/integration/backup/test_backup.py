"""A backup while everything runs, and a server made of it that sends nothing again (security.md threats 11, 27, 28)."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import random
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlmodel import col, select
from typer.testing import CliRunner

from mailcrm import config
from mailcrm.cli import app
from mailcrm.errors import MailcrmError, PermanentError, UserError
from mailcrm.models import Blob, Mailbox, Message, Note, Notification, Outbox, Person, ServerAction, UserSession, utcnow
from mailcrm.services import crypto, db
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.backup import archive, hold, make, restore
from mailcrm.services.mail import blob_sweep, blobs, mailboxes, packs
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.tracking import outgoing
from tests.builders import a_mailbox, a_message, a_person, a_user
from tests.conftest import _settings
from tests.integration.security.test_secrets import spellings
from tests.servers.smtp_sink import SmtpSink

_numbers = itertools.count(1)
PASSWORD = "planted-Backup-Passw0rd"
PASSPHRASE = "seven calm otters ferry tin"
Elsewhere = Callable[..., Any]


@pytest.fixture
def elsewhere(db: str, tmp_path: Path, request: pytest.FixtureRequest) -> Elsewhere:
    """Another server: an empty data folder, with the key of this one or without, and an empty database."""
    here = config.config().key_file
    assert here is not None

    @contextmanager
    def go(*, with_key: bool = True) -> Iterator[Path]:
        folder = tmp_path / f"elsewhere{next(_numbers)}"
        folder.mkdir(mode=0o700)
        if with_key:
            (folder / "secret.key").write_text(here.read_text())
            (folder / "secret.key").chmod(0o600)
        url, cluster, name = f"sqlite:///{folder / 'mailcrm.sqlite3'}", None, f"b_{folder.name}"
        if db == "postgresql":
            cluster = request.getfixturevalue("pg_server")
            url = cluster.create(name)
        with _settings(folder, url):
            yield folder
        if cluster is not None:
            cluster.drop(name)

    return go


def content() -> dict[str, list[str]]:
    """The database as text: every row of every table but those that a restore writes to, in order."""
    left_out = (*hold.EMPTIED, "audit", "notifications", "alembic_version")
    with db.engine().connect().execution_options(readonly=True) as connection:
        names = [name for name in inspect(connection).get_table_names() if name not in left_out]
        return {
            name: sorted(repr(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{name}"')))
            for name in names
            if not name.startswith("message_search_")
        }


def write(actor: Actor, over: threading.Event, troubles: list[Exception]) -> None:
    """What a busy server does: a person with a note of the same name in one transaction, and mail in packs."""
    try:
        with packs.Packer() as packer:
            for n in itertools.count():
                if over.is_set():
                    return
                raw = f"Subject: load {n} of {threading.get_ident()}\r\n\r\n{'x' * 2000}\r\n".encode()
                sha = hashlib.sha256(raw).hexdigest()
                place = blobs.put_many(packer, {sha: blobs.compress(raw)})[sha]
                with db.transaction() as session:
                    session.add(
                        Blob(sha256=sha, size=len(raw), pack=place.pack, start=place.start, length=place.length)
                    )
                    person = Person(name=f"load {n}", owner_id=actor.user_id)
                    session.add(person)
                    session.flush()
                    session.add(Note(person_id=person.id, text=f"load {n}", author_id=actor.user_id))
    except Exception as error:  # told by the test
        troubles.append(error)


def test_a_backup_under_load_is_of_one_instant(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """What is written in one transaction is there together or not at all, and every row's bytes are there."""
    actor = a_user(admin=True)
    box = a_mailbox(actor)
    for _ in range(3):
        a_message(box)
    over, troubles = threading.Event(), list[Exception]()
    load = [threading.Thread(target=write, args=(actor, over, troubles)) for _ in range(2)]
    for thread in load:
        thread.start()
    try:
        made = [make.backup(tmp_path / f"b{n}.mailcrm") for n in range(2)]
    finally:
        over.set()
        for thread in load:
            thread.join()
    assert not troubles
    assert made[1].rows > made[0].rows, "the control: it was written meanwhile"
    with elsewhere():
        done = restore.restore(made[1].path)
        assert (done.missing, done.unreadable) == (0, 0)
        assert done.rows == made[1].rows
        with db.reading() as session:
            people = set(session.exec(select(Person.name)))
            assert people == set(session.exec(select(Note.text)))
            assert people
            for message in session.exec(select(Message)):
                assert blobs.get(message.blob_sha or "")
            found = session.exec(text("SELECT sha256 FROM blobs")).all()  # type: ignore[call-overload]
        for row in found:
            assert hashlib.sha256(blobs.get(row[0])).hexdigest() == row[0]


def test_what_is_restored_is_equal_to_the_byte(elsewhere: Elsewhere, tmp_path: Path) -> None:
    actor = a_user("Ünï\t\\N\n\x7f")
    box = a_mailbox(actor)
    a_message(box, subject="tab\there, \\N, \\., line\nbreak, 😀", text="x\r\n\\.\r\ny")
    a_person(actor, "O'Neill; DROP TABLE", "o@neill.test")
    queue_kept = waiting(actor, box)
    before = content()
    made = make.backup(tmp_path / "b.mailcrm")
    with elsewhere():
        restore.restore(made.path)
        after = content()
        for name in before:
            if name not in ("outbox", "outbox_recipients", "mailboxes"):
                assert after[name] == before[name], name
        assert {name: len(lines) for name, lines in after.items()} == {
            name: len(lines) for name, lines in before.items()
        }
        a_person(actor, "Numbers go on", "new@people.test")
        with db.reading() as session:  # what browsers kept of drafts written after the backup meets no other draft
            assert max(found or 0 for found in session.exec(select(Outbox.id))) == max(queue_kept.values())
        made_anew = draft.new_draft(actor, mailbox_id=box)
        assert made_anew.id > max(queue_kept.values()) + 1000


def waiting(actor: Actor, box: int) -> dict[str, int]:
    """One email in each state that may go out."""
    ids: dict[str, int] = {}
    for name in ("now", "later", "sending", "unknown", "draft"):
        made = draft.new_draft(actor, mailbox_id=box)
        draft.save(actor, made.id, DraftInput(box, "mika@saimaa.test", subject=name, html="<p>x</p>"))
        if name != "draft":
            queue.send(actor, made.id, delay_s=0)
        ids[name] = made.id
    sha = blobs.put(b"Subject: x\r\n\r\nx\r\n")
    with db.transaction() as session:
        session.add(Blob(sha256=sha, size=17))
        session.flush()
        for name, state in (("sending", "sending"), ("unknown", "unknown")):
            row = session.get_one(Outbox, ids[name])
            row.state, row.sent_blob_sha, row.next_try_at = state, sha, utcnow()
        session.get_one(Outbox, ids["later"]).send_at = utcnow() + timedelta(days=2)
    return ids


def test_nothing_is_sent_again(elsewhere: Elsewhere, tmp_path: Path, smtp_sink: SmtpSink) -> None:
    """Email that waited asks its user; acts in mailboxes, sessions and letters of before are not done either."""
    smtp_sink.add_user("aino")
    actor = a_user()
    server = {"smtp_host": smtp_sink.host, "smtp_port": smtp_sink.port, "smtp_username": "aino"}
    box = a_mailbox(actor, **server)
    message = a_message(box)
    ids = waiting(actor, box)
    with db.transaction() as session:
        session.add(ServerAction(mailbox_id=box, message_id=message.id or 0, kind="delete"))
        session.add(UserSession(id_hash="x" * 64, user_id=actor.user_id, expires_at=utcnow() + timedelta(days=1)))
    made = make.backup(tmp_path / "b.mailcrm")
    with elsewhere():
        assert restore.restore(made.path).held == 4
        before = len(smtp_sink.messages)
        assert outgoing.deliver_due() == 0
        with db.transaction() as session:  # not even much later
            for row in session.exec(select(Outbox)):
                row.send_at = row.send_at and utcnow() - timedelta(days=1)
        assert outgoing.deliver_due() == 0
        assert len(smtp_sink.messages) == before
        states = {name: draft.get(actor, which) for name, which in ids.items()}
        assert {name: (view.state, view.error_code) for name, view in states.items()} == {
            "now": ("failed", "outbox.restored"),
            "later": ("failed", "outbox.restored_later"),
            "sending": ("unknown", "outbox.restored"),
            "unknown": ("unknown", "outbox.restored"),
            "draft": ("draft", ""),
        }
        with db.reading() as session:
            assert {each.state for each in session.exec(select(ServerAction))} == {"failed"}
            assert session.exec(select(UserSession)).first() is None
            asked = select(Notification).where(col(Notification.kind) == "send_failed")
            assert len(session.exec(asked).all()) == 4
        queue.retry(actor, ids["now"])  # the user looked in Sent
        assert outgoing.deliver_due() == 1
        assert len(smtp_sink.messages) == before + 1
        queue.confirm(actor, ids["unknown"])
        assert draft.get(actor, ids["unknown"]).state == "sent"
        assert outgoing.deliver_due() == 0
        assert len(smtp_sink.messages) == before + 1


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_key_is_asked_for(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Without it nothing is changed; under a passphrase it comes along (threats 11, 28)."""
    actor = a_user()
    box = a_mailbox(actor)
    bare, wrapped = make.backup(tmp_path / "bare"), make.backup(tmp_path / "wrapped", passphrase=PASSPHRASE)
    with pytest.raises(UserError, match="at least"):
        make.backup(tmp_path / "short", passphrase="hunter2")
    assert not list(tmp_path.glob("*short*"))
    with elsewhere(with_key=False) as folder:
        for path, said, code in [
            (bare.path, "", "backup.key_missing"),
            (wrapped.path, "", "backup.passphrase_missing"),
            (wrapped.path, PASSPHRASE + "x", "backup.passphrase_wrong"),
        ]:
            with pytest.raises(UserError) as refused:
                restore.restore(path, passphrase=said)
            assert refused.value.code == code
            assert {entry.name for entry in folder.iterdir()} == {"secret.key"}
        done = restore.restore(wrapped.path, passphrase=PASSPHRASE)
        assert done.unreadable == 0
        assert mailboxes.credentials(box).imap_password == "secret"
        assert (folder / "secret.key").stat().st_mode & 0o077 == 0


def test_no_secret_is_in_a_backup_in_clear(db: str, tmp_path: Path) -> None:
    actor = a_user()
    box = a_mailbox(actor)
    with access_to(box) as row:
        row.secret = crypto.seal({"imap": PASSWORD, "smtp": PASSWORD, "refresh": PASSWORD}, context=f"mailbox:{box}")
    a_message(box, subject="not a secret at all")
    made = make.backup(tmp_path / "b", passphrase=PASSPHRASE)
    assert made.path.stat().st_mode & 0o077 == 0
    whole = [made.path.read_bytes()]
    with tarfile.open(made.path) as tar:
        for member in tar:
            source = tar.extractfile(member)
            assert source is not None
            raw = source.read()
            whole.append(gzip.decompress(raw) if member.name.endswith(".gz") else raw)
    everything = b"\0".join(whole)
    assert b"not a secret at all" in everything, "the control: what is no secret is found"
    for secret in (PASSWORD, PASSPHRASE, *config.config().secret_keys):
        assert not [each for each in spellings(secret) if each in everything]


@contextmanager
def access_to(box: int) -> Iterator[Mailbox]:
    with db.transaction() as session:
        yield session.get_one(Mailbox, box)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_only_a_whole_backup_is_restored_and_only_into_nothing(elsewhere: Elsewhere, tmp_path: Path, db: str) -> None:
    """Cut, changed, or made by somebody else: refused, and the folder is as empty as before."""
    a_message(a_mailbox(a_user()))
    made = make.backup(tmp_path / "b")
    with pytest.raises(UserError, match="already"):
        make.backup(made.path)
    raw = made.path.read_bytes()
    chance, broken = random.Random("restore"), tmp_path / "broken"
    with tarfile.open(made.path) as tar:
        biggest = max(tar, key=lambda member: member.size)
        last = tar.getmember("manifest.json")
    inside = range(biggest.offset_data, biggest.offset_data + biggest.size)
    hostile: list[bytes] = [raw[: (last.offset_data + last.size) * n // 8] for n in range(8)] + [b"", b"x" * 2000]
    hostile += [
        raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :] for at in chance.sample(inside, 5)
    ]
    hostile += [with_member(raw, made.path, name) for name in ("../evil", "/etc/evil", "packs/../../x", "secret.key")]
    with elsewhere() as folder:
        for one in hostile:
            broken.write_bytes(one)
            with pytest.raises(UserError) as refused:
                restore.restore(broken)
            assert refused.value.code == "backup.not_whole"
            assert {entry.name for entry in folder.iterdir()} == {"secret.key"}
        assert not (tmp_path / "evil").exists()
        (folder / "something").touch()
        with pytest.raises(UserError, match="not empty"):
            restore.restore(made.path)
        (folder / "something").unlink()
        restore.restore(made.path)
        with pytest.raises(UserError):
            restore.restore(made.path)


def rewritten(path: Path, change: Callable[[str, Any], Any]) -> bytes:
    """The backup with another header and list; a member that `change` gives a content for, too, with a fitting checksum."""
    out = io.BytesIO()
    sums: dict[str, dict[str, Any]] = {}
    with tarfile.open(path) as tar, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for member in tar:
            source = tar.extractfile(member)
            raw = source.read() if source is not None else b""
            noted = member.name.endswith(".json")
            said: Any = json.loads(raw) if noted else raw
            if member.name == "manifest.json":
                said["members"] = sums
            said = change(member.name, said)
            if said is None:
                continue
            raw = said if isinstance(said, bytes) else json.dumps(said).encode()
            sums[member.name] = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
            sums.pop("header.json", None)
            info = tarfile.TarInfo(member.name)
            info.size = len(raw)
            made.addfile(info, io.BytesIO(raw))
    return out.getvalue()


DEEP = b"[" * 100_000


def _database(name: str, raw: Any, instead: bytes | None) -> Any:
    return instead if name.startswith(("database", "tables/users")) else raw


HOSTILE: dict[str, Callable[[str, Any], Any]] = {
    "a header without a moment": lambda name, said: {"version": 1, "keys": []} if name == "header.json" else said,
    "a moment that is none": lambda name, said: said | {"made_at": "soon"} if name == "header.json" else said,
    "a moment of no zone": lambda name, said: said | {"made_at": "2026-01-01"} if name == "header.json" else said,
    "keys that are none": lambda name, said: said | {"keys": [{}]} if name == "header.json" else said,
    "a deep header": lambda name, said: DEEP if name == "header.json" else said,
    "a deep list": lambda name, said: DEEP if name == "manifest.json" else said,
    "a list without rows": lambda name, said: said | {"rows": None} if name == "manifest.json" else said,
    "a list of no version": lambda name, said: said | {"revision": 6} if name == "manifest.json" else said,
    "sequences of text": lambda name, said: said | {"sequences": {"x": "y"}} if name == "manifest.json" else said,
    "no database": lambda name, said: _database(name, said, None),
    "a database that is no archive": lambda name, said: _database(name, said, b"SQLite format 3"),
    "a database that ends early": lambda name, said: _database(name, said, gzip.compress(b"x" * 9000)[:-9]),
}


def test_a_list_that_fits_what_was_tampered_with_is_refused_with_a_sentence(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """security.md 11: whoever can write the file can write its checksums, too; nothing stays of the attempt."""
    a_message(a_mailbox(a_user()))
    made, broken = make.backup(tmp_path / "b"), tmp_path / "broken"
    with elsewhere() as folder:
        for how, change in HOSTILE.items():
            broken.write_bytes(rewritten(made.path, change))
            with pytest.raises(MailcrmError) as refused:
                restore.restore(broken)
            assert refused.value.code in ("backup.not_whole", "database.damaged"), how
            left = {entry.name for entry in folder.iterdir()}
            assert left - {"mailcrm.sqlite3-wal", "mailcrm.sqlite3-shm"} <= {"secret.key"}, how
        restore.restore(made.path)


def test_a_file_with_holes_does_not_fill_the_disk(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """security.md 11: a few bytes that say they are a terabyte are refused before one of it is written."""
    made, broken = make.backup(tmp_path / "b"), tmp_path / "broken"
    with tarfile.open(made.path) as tar, tarfile.open(broken, "w", format=tarfile.PAX_FORMAT) as out:
        first = tar.next()
        assert first is not None
        out.addfile(first, tar.extractfile(first))
        info = tarfile.TarInfo("imports/1.csv")
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**40), "GNU.sparse.numblocks": "1"}
        info.size = 1
        out.addfile(info, io.BytesIO(b"x"))
    with elsewhere():
        with tarfile.open(broken) as tar:
            assert tar.getmembers()[1].size == 2**40, "the control: it says so"
        with pytest.raises(UserError) as refused:
            restore.restore(broken)
        assert refused.value.code == "backup.not_whole"


def test_what_somebody_else_made_meanwhile_is_left(
    elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was started in the folder while a backup was read has its mail there: it is not removed."""
    a_message(a_mailbox(a_user()))
    made = make.backup(tmp_path / "b")
    with elsewhere() as folder:
        whole = archive.extract

        def meanwhile(path: Path, into: Path) -> dict[str, Any]:
            (folder / "packs").mkdir()
            (folder / "packs" / "theirs").touch()
            (folder / "blobs").mkdir()
            (folder / "blobs" / "theirs").touch()
            return whole(path, into)

        monkeypatch.setattr(archive, "extract", meanwhile)
        with pytest.raises(OSError, match="not empty"):
            restore.restore(made.path)
        assert (folder / "packs" / "theirs").exists()
        assert (folder / "blobs" / "theirs").exists()


def with_member(raw: bytes, path: Path, name: str) -> bytes:
    """The backup with one more member before its last."""
    out = io.BytesIO()
    with tarfile.open(path) as tar, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for member in tar:
            if member.name == "manifest.json":
                info = tarfile.TarInfo(name)
                info.size = 4
                made.addfile(info, io.BytesIO(b"evil"))
            made.addfile(member, tar.extractfile(member))
    return out.getvalue()


def test_nothing_is_swept_while_a_backup_reads(sqlite_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(blob_sweep, "_drop_rows", lambda: ran.append("rows") or 0)
    with blob_sweep.stopped():
        assert not blob_sweep.sweep()
    assert not ran
    blob_sweep.sweep()
    assert ran


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_the_commands_say_what_they_did(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """contract.md: `backup FILE`, `restore FILE`."""
    actor = a_user()
    a_message(a_mailbox(actor))
    runner, path = CliRunner(), tmp_path / "b.mailcrm"
    done = runner.invoke(app, ["backup", str(path), "--passphrase-stdin"], input=PASSPHRASE + "\n")
    assert done.exit_code == 0, done.output
    assert "under your passphrase" in done.output
    with elsewhere(with_key=False):
        runner.invoke(app, ["doctor"])  # as one does on a new machine: it makes an empty database
        done = runner.invoke(app, ["restore", str(path), "--passphrase-stdin"], input=PASSPHRASE + "\n")
        assert done.exit_code == 0, done.output
        assert "sign in again" in done.output
        with db.reading() as session:
            assert session.exec(select(Message.subject)).all() == ["Calibration certificates"]


def test_a_damaged_database_makes_no_backup(sqlite_db: Path, tmp_path: Path) -> None:
    box = a_mailbox(a_user())
    for _ in range(50):
        a_message(box)
    with db.engine().connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.dispose()
    path = sqlite_db / "mailcrm.sqlite3"
    raw = bytearray(path.read_bytes())
    for start in range(4096 * 4, len(raw) - 4096, 4096 * 3):
        raw[start : start + 8] = b"\xff" * 8
    path.write_bytes(raw)
    with pytest.raises(PermanentError, match="is damaged"):
        make.backup(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_an_invitation_that_waited_is_over(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """It may have been used, or withdrawn, since the backup: whoever still has the link makes no account of it."""
    secret = users.invite(a_user(admin=True), email="new@crm.test")
    assert users.invited_email(secret) == "new@crm.test"
    made = make.backup(tmp_path / "b")
    with elsewhere():
        restore.restore(made.path)
        with pytest.raises(UserError):
            users.accept_invite(secret, name="New", email="new@crm.test", password=PASSPHRASE)
