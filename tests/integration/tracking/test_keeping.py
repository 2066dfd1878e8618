"""What tracking keeps and forgets: answers, floods, retention, older rules, links for ever (B03, B05, B15, T10)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select
from typer.testing import CliRunner

from mailcrm import cli
from mailcrm.models import (
    AuditEntry,
    Mailbox,
    Message,
    Notification,
    TrackedMessage,
    TrackingEvent,
    User,
    UserSession,
    Workspace,
    utcnow,
)
from mailcrm.services import figures, telling
from mailcrm.services.auth import sessions
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.tracking import destinations, happened, intake, record, replies, retention, spool, tokens
from mailcrm.services.tracking.fetch import ADDRESS, Fetch, Packed, Waiting, packed, unpacked
from mailcrm.services.tracking.intake import Intake
from mailcrm.services.tracking.recorder import Recorder
from mailcrm.services.tracking.spool import Spool
from tests.builders import a_message
from tests.integration.tracking.test_record import CHROME, GMAIL, Sent


@pytest.fixture
def sent(db: str):  # type: ignore[no-untyped-def]
    yield Sent()
    record.flush()


def an_answer(sent: Sent, **columns: object) -> int:
    with reading() as session:
        message = session.get_one(Message, sent.message_id)
        mailbox_id, rfc_id = message.mailbox_id, message.rfc_message_id
    given: dict[str, object] = {"in_reply_to": rfc_id} | columns
    answer = a_message(mailbox_id, sender="mika@x.test", thread_id=sent.thread_id, at=utcnow(), **given)  # type: ignore[arg-type]
    with transaction() as session:
        replies.settle(session, [answer.id or 0])
    return answer.id or 0


def test_an_answer_implies_an_open_and_is_noted_once(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """B05; other services hear of it in the same transaction."""
    told: list[happened.Happening] = []
    monkeypatch.setattr(happened, "_listeners", lambda: (lambda _session, found: told.extend(found),))
    answer = an_answer(sent)
    row = sent.row()
    assert row.replied_at is not None
    assert (row.opens, row.first_opened_at) == (1, row.replied_at)
    with transaction() as session:
        replies.settle(session, [answer])
    assert [(each.kind, each.tracked_id, each.user_id) for each in told] == [("replied", sent.id, sent.actor.user_id)]
    sent.open()
    assert sent.row().opens == 1  # the open that was seen takes the place of the one that was concluded
    sent.open()
    assert sent.row().opens == 2


@pytest.mark.parametrize(
    "columns", [{"in_reply_to": "other@x.test"}, {"auto_submitted": True}, {"junk": True}, {"blocked": True}]
)
def test_what_is_no_answer(sent: Sent, columns: dict[str, object]) -> None:
    an_answer(sent, **columns)
    assert (sent.row().replied_at, sent.row().opens) == (None, 0)


def test_an_answer_makes_an_unsure_open_a_persons(sent: Sent) -> None:
    """B05: later evidence upgrades."""
    sent.open(GMAIL)
    assert sent.kinds() == ["unknown"]
    an_answer(sent)
    assert sent.kinds() == ["person"]


def test_the_senders_own_address_does_not_count(sent: Sent) -> None:
    """B03: where a session of the sender was last seen; a colleague's or an unknown proxy's tells nothing."""
    address = "93.184.216.34"
    with transaction() as session:
        sessions.start(session, sent.actor.user_id, "", address)
        assert session.exec(select(UserSession.address)).one() not in ("", address)
    token = tokens.Token("open", sent.nonce, 0)
    record.write([Waiting("open", token, Fetch(CHROME, address=address))])
    record.write([Waiting("open", token, Fetch(CHROME, address=address, address_known=False))])
    record.write([Waiting("open", token, Fetch(CHROME, address="93.184.216.35"))])
    assert sent.kinds() == ["own", "person", "person"]
    assert sessions.address_hash("10.0.0.1", utcnow()) == sessions.address_hash("127.0.0.1", utcnow()) == ""


def test_events_go_counts_and_links_stay(sent: Sent) -> None:
    """T10, B15: retention."""
    with transaction() as session:
        session.add(Workspace(name="w", tracking_days=30, network_days=1))
        old = utcnow() - timedelta(days=31)
        session.get_one(TrackedMessage, sent.id).sent_at = old - timedelta(days=1)
    click = tokens.Token("click", sent.nonce, 1)
    record.write([Waiting("open", tokens.Token("open", sent.nonce, 0), Fetch(CHROME, address="93.184.216.34"), old)])
    record.write([Waiting("click", click, Fetch(CHROME, address="93.184.216.34"), utcnow() - timedelta(days=2))])
    before = sent.row()
    assert retention.tidy() is False
    with reading() as session:
        assert [(e.action, e.network) for e in session.exec(select(TrackingEvent))] == [("click", "")]
    sent.open()
    assert (sent.row().opens, sent.row().clicks) == (before.opens + 1, before.clicks)
    assert sent.row().first_opened_at == before.first_opened_at
    retention.tidy()
    assert sent.row().opens == before.opens + 1
    assert sent.click(1).status_code == 302


def test_an_open_that_a_forgotten_click_implied_stays(sent: Sent) -> None:
    """T10, B05: what is counted anew later, for a scanner's click here, takes nothing back."""
    with transaction() as session:
        session.add(Workspace(name="w", tracking_days=30, network_days=1))
        old = utcnow() - timedelta(days=31)
        session.get_one(TrackedMessage, sent.id).sent_at = old - timedelta(days=1)
    click = tokens.Token("click", sent.nonce, 1)
    record.write([Waiting("click", click, Fetch(CHROME, address="93.184.216.34"), old)])
    before = sent.row()
    retention.tidy()
    sent.click(2, agent="Barracuda Sentinel (EE)")
    after = sent.row()
    assert (before.opens, before.clicks, after.opens, after.clicks) == (1, 1, 1, 1)
    assert (after.first_opened_at, after.last_clicked_at) == (before.first_opened_at, before.last_clicked_at)


def test_a_link_lives_on_without_its_mailbox_and_its_user(sent: Sent) -> None:
    """T10: also after the message was deleted and the user was removed."""
    with reading() as session:
        box = session.exec(select(Mailbox.id).where(Mailbox.user_id == sent.actor.user_id)).one()
    mailboxes.remove(sent.actor, box or 0)
    with transaction() as session:
        session.delete(session.get_one(User, sent.actor.user_id))
    destinations.forget()
    assert sent.click(2).headers["location"] == "https://x.test/2?a=%C3%BC"
    assert sent.open().status_code == 200
    row = sent.row()
    assert (row.user_id, row.message_id, row.opens, row.clicks) == (None, None, 1, 1)


def test_a_first_click_is_answered_without_a_thread(sqlite_db: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The destination is read at once, also while somebody writes; where that cannot be, as patiently as anything."""
    sent = Sent()
    with monkeypatch.context() as patch:
        patch.setattr(destinations, "look_up", lambda *_: pytest.fail("asked with a session"))
        with transaction() as session:  # holds the lock of whoever writes
            session.exec(select(TrackedMessage)).one()
            assert sent.click(2, flush=False).headers["location"] == "https://x.test/2?a=%C3%BC"
    destinations.forget()
    monkeypatch.setattr(destinations, "_OF_NONCE", "SELECT of what is not there")
    assert sent.click(3, flush=False).headers["location"] == "https://x.test/3?a=%C3%BC"
    assert destinations.at_once("no such nonce", 1) is None
    record.flush()
    assert sent.row().clicks == 2


def test_rules_are_run_again_over_what_is_stored(sent: Sent) -> None:
    """B03: every fact that the rules look at is in the row, so a second run says the same."""
    sent.open(GMAIL)
    sent.open(method="HEAD")
    sent.open(dnt="1")
    sent.click(1)
    kinds = sent.kinds()
    assert retention.classify_again() == 0
    with transaction() as session:
        for event in session.exec(select(TrackingEvent)):
            event.kind, event.rules_version, event.reasons = "unknown", 1, {}
    assert retention.classify_again() > 0
    assert sent.kinds() == kinds
    assert (sent.row().opens, sent.row().clicks) == (1, 1)


def test_the_command_line_judges_again(sqlite_db: object) -> None:
    """B03: all or one message; the version in use only where it is asked for."""
    sent, other = Sent(), Sent()
    for each in (sent, other):
        each.open(GMAIL)
    with transaction() as session:
        for event in session.exec(select(TrackingEvent)):
            event.kind, event.rules_version, event.reasons = "scanner", 1, {}

    def judge(*arguments: str) -> str:
        found = CliRunner().invoke(cli.app, ["tracking", "judge", *arguments])
        return found.stdout if found.exit_code == 0 else type(found.exception).__name__

    assert judge(str(sent.message_id)).startswith("1 emails were judged by rules 2; 1 opens and clicks changed")
    assert sorted(sent.kinds()) == ["scanner", "unknown"]
    assert judge().startswith("1 emails were judged by rules 2; 1 ")
    assert judge().startswith("0 emails were judged by rules 2; 0 ")
    assert judge("--all-versions").startswith("2 emails were judged by rules 2; 0 ")
    assert judge("987654") == "NotFound"


def waiting(n: int, address: str = "") -> Packed:
    return packed("open", tokens.Token("open", "x", 0), Fetch(address=address or f"10.{n // 250}.{n % 250}.1"))


class Disk:
    """Keeps fetches, or refuses them."""

    def __init__(self, refusals: int = 0) -> None:
        self.kept: list[Packed] = []
        self.refusals = refusals

    def put(self, waiting: Sequence[Packed]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError(28, "No space left on device")
        self.kept.extend(waiting)


def an_intake(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Intake:
    monkeypatch.setattr(Intake, "_start", lambda _self: None)  # nothing is written meanwhile
    return Intake(disk, lambda: True)


def test_a_flood_from_one_network_displaces_nobody(sqlite_db: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dropped is counted, and can be seen."""
    monkeypatch.setattr(intake, "MOST_WAITING_OF_ONE", 50)
    queue = an_intake(Disk(), monkeypatch)
    taken = [queue.put(waiting(0, f"203.0.113.{n % 250}")) for n in range(200)]
    assert sum(taken) == 50
    assert all(queue.put(waiting(n)) for n in range(300))
    assert queue.keep() == 350
    queue.tell_dropped()
    queue.tell_dropped()
    with reading() as session:
        (entry,) = session.exec(select(AuditEntry).where(AuditEntry.verb == intake.DROPPED)).all()
    assert entry.detail == {"flood": 150}
    assert ("tracking_dropped", {"flood": 150.0}) in [(name, counts) for name, _, counts in figures.collect()]
    assert queue.put(waiting(0, "203.0.113.1"))  # what was written makes room


def test_fetches_wait_in_memory_while_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(refusals=2)
    queue = an_intake(disk, monkeypatch)
    for n in range(10):
        queue.put(waiting(n))
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            queue.keep()
        queue.put(waiting(99))
    assert queue.keep() == 12
    assert [each[ADDRESS] for each in disk.kept[:10]] == [f"10.0.{n}.1" for n in range(10)]


def a_spool(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setattr(spool, "config", lambda: SimpleNamespace(data_dir=data_dir, secret_keys=("a" * 40,)))
    return Spool()


def test_fetches_wait_in_files_while_the_database_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and what was kept first is written first."""
    files, written, refusals = a_spool(tmp_path, monkeypatch), list[Waiting](), iter([True, True])

    def write(part: Sequence[Waiting], again: bool) -> None:
        assert again  # whoever had it before may have been killed
        if next(refusals, False):
            raise OperationalError("x", None, Exception())
        written.extend(part)

    recorder = Recorder(files, write, lambda _count: None)
    made = [waiting(n) for n in range(450)]
    files.put(made[:440])
    files.put(made[440:])
    for _ in range(2):
        with pytest.raises(OperationalError):
            recorder.drain()
    assert recorder.drain()
    assert (written, files.files()) == ([unpacked(each) for each in made], [])


def test_one_bad_fetch_costs_itself_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, written, failed = a_spool(tmp_path, monkeypatch), list[Waiting](), list[int]()
    bad = waiting(3)

    def write(part: Sequence[Waiting], again: bool) -> None:
        if unpacked(bad) in part:
            raise ValueError
        written.extend(part)

    files.put([bad if n == 3 else waiting(n) for n in range(10)])
    assert Recorder(files, write, failed.append).drain()
    assert (len(written), failed) == (9, [1])


def test_files_hold_nothing_that_can_be_read_and_nobody_can_write_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B15: addresses are there for a moment, sealed. What is no file of ours is set aside and counted."""
    files, written, failed = a_spool(tmp_path, monkeypatch), list[Waiting](), list[int]()
    path = files.put([waiting(0, "93.184.216.34")])
    assert b"93.184" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    good = path.read_bytes()
    for n, hostile in enumerate((b"", b"x", good[:-1], good[:20] + bytes([good[20] ^ 1]) + good[21:], b"[[]]")):
        path.with_name(f"{n}.fetches").write_bytes(hostile)
    recorder = Recorder(files, lambda part, _again: written.extend(part), failed.append)
    assert recorder.drain()
    assert (len(written), len(failed), files.files()) == (1, 5, [])


def test_one_writes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, written = a_spool(tmp_path, monkeypatch), list[Waiting]()
    recorder = Recorder(files, lambda part, _again: written.extend(part), lambda _count: None)
    files.put([waiting(0)])
    with files.alone() as first:
        assert first
        assert not recorder.drain()
    assert not written
    assert recorder.drain()
    assert len(written) == 1


def test_a_kill_between_commit_and_removal_doubles_nothing(sent: Sent) -> None:
    """Events and counts stand as if it had not been killed."""
    token, click = tokens.Token("open", sent.nonce, 0), tokens.Token("click", sent.nonce, 1)
    batch = [packed("open", token, Fetch(CHROME)), packed("click", click, Fetch(CHROME))]
    path = record.SPOOL.put(batch)
    content = path.read_bytes()
    record.flush()
    path.write_bytes(content)
    record.SPOOL.put([packed("open", token, Fetch(CHROME))])
    record.flush()
    assert (len(sent.kinds()), sent.row().opens, sent.row().clicks) == (3, 2, 1)


def test_a_storm_is_one_line_of_the_bell(sent: Sent) -> None:
    """T08: digest instead of a storm, also when all come together."""
    others = []
    with transaction() as session:
        for _ in range(20):
            row = TrackedMessage(
                user_id=sent.actor.user_id, message_id=sent.message_id, nonce=tokens.new_nonce(), opens_on=True,
                clicks_on=True, notify=True, sent_at=utcnow() - timedelta(hours=1),
            )  # fmt: skip
            session.add(row)
            others.append(row.nonce)
    record.write([Waiting("open", tokens.Token("open", nonce, 0), Fetch(CHROME)) for nonce in others])
    with reading() as session:
        (line,) = session.exec(select(Notification).where(col(Notification.user_id) == sent.actor.user_id)).all()
    assert (line.kind, line.count) == ("digest", 20)


def test_a_digest_loses_nothing_between_two_processes(sent: Sent) -> None:
    """T08: web processes and the worker count in the same line."""
    user_id = sent.actor.user_id
    telling.change_choices(sent.actor, kinds={"open": "digest"})

    def tell(message_id: int) -> None:
        for _ in range(5):
            with transaction() as session:
                telling.notify(session, user_id, "open", message_id=message_id)

    tell(1_000)  # the line is there
    tellers = [threading.Thread(target=tell, args=(message_id,)) for message_id in range(1, 5)]
    for each in tellers:
        each.start()
    for each in tellers:
        each.join()
    with reading() as session:
        digest = session.exec(select(Notification).where(Notification.kind == "digest")).one()
        assert (digest.count, {each["open"] for each in digest.params["by"].values()}) == (25, {5})
