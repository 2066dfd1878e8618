"""REST over a mailbox's upkeep: ledger and health, verify, folders, scope, quarantine (M14, M31, B01, B02)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mailcrm import __version__
from mailcrm.endpoints import quarantine as downloads
from mailcrm.endpoints.api import app
from mailcrm.models import Folder, Mailbox, PendingUid, Quarantined, SkippedUid, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions, users
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import health, quarantine
from tests.builders import a_mailbox, a_message, a_quarantined, a_user


def client(actor: Actor) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {users.create_token(actor)}"})


@pytest.fixture
def aino(db: str) -> Actor:
    return a_user()


def test_the_ledger_says_everything_a_person_would_ask(aino: Actor) -> None:
    """M31: counts, reasons, rate, time left, next try, what is wrong and the one button."""
    box = a_mailbox(aino)
    a_message(box)
    a_quarantined(box)
    now = utcnow()
    with transaction() as session:
        folder = session.exec(select(Folder).where(Folder.mailbox_id == box, Folder.role == "inbox")).one()
        folder.server_count, folder.error_code, folder.error_params = 105, "sync.doubt_count", {"folder": "INBOX"}
        folder_id = folder.id or 0
        session.add(SkippedUid(folder_id=folder_id, uid=901, reason="history"))
        session.add(SkippedUid(folder_id=folder_id, uid=902, reason="history"))
        session.add(SkippedUid(folder_id=folder_id, uid=903, reason="contacts_only"))
        session.add_all([PendingUid(folder_id=folder_id, uid=1000 + n) for n in range(100)])
        mailbox = session.get_one(Mailbox, box)
        mailbox.lease_until, mailbox.pass_started_at, mailbox.pass_stored = (
            now + timedelta(minutes=1),
            now - timedelta(seconds=50),
            500,
        )
        mailbox.watch, mailbox.watched_at = "idle", now
    found = client(aino).get(f"/mailboxes/{box}/ledger").json()
    line = found["items"][0]
    assert (line["folder"], line["server"], line["stored"], line["pending"]) == ("INBOX", 105, 1, 100)
    assert (line["skipped"], line["skipped_reasons"]) == (3, {"history": 2, "contacts_only": 1})
    assert (line["quarantined"], line["code"], line["kind"], line["button"]) == (
        1,
        "sync.doubt_count",
        "server",
        "retry",
    )
    whole = found["health"]
    assert (whole["state"], whole["live"], whole["pending"]) == ("syncing", "idle", 100)
    assert 9 < whole["rate"] <= 10.1
    assert 9 <= whole["seconds_left"] <= 11
    assert health.health(aino, box).percent == 4
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box)
        mailbox.lease_until, mailbox.error_code, mailbox.error_params = None, "server.lost", {"host": "h"}
        mailbox.next_try_at = now + timedelta(minutes=5)
    whole = client(aino).get(f"/mailboxes/{box}/ledger").json()["health"]
    assert (whole["state"], whole["rate"], whole["trouble"]["button"]) == ("trouble", None, "retry")
    assert whole["trouble"]["sentence"].startswith("h closed the connection.")


def test_verify_is_asked_for_and_seen(aino: Actor) -> None:
    box = a_mailbox(aino)
    mine = client(aino)
    assert mine.get(f"/mailboxes/{box}/ledger").json()["health"]["verification"]["state"] == "none"
    asked = mine.post(f"/mailboxes/{box}/verify")
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")


def test_folders_are_listed_previewed_chosen_and_watched(aino: Actor) -> None:
    box = a_mailbox(aino)
    a_message(box, folder="archive")
    mine = client(aino)
    found = mine.get(f"/mailboxes/{box}/folders").json()
    assert found["everything"] is True
    ids = {row["name"]: row["id"] for row in found["folders"]}
    choice = {"everything": False, "chosen": [ids["INBOX"]]}
    assert mine.post(f"/mailboxes/{box}/folders/preview", json=choice).json() == {"leaving": 1}
    chosen = mine.put(f"/mailboxes/{box}/folders", json=choice).json()
    assert [row["name"] for row in chosen["folders"] if row["chosen"]] == ["INBOX"]
    assert mine.get("/threads?folder=all").json()["items"] == []
    assert mine.patch(f"/mailboxes/{box}/folders/{ids['Archive']}", json={"watched": True}).status_code == 422
    assert mine.put(f"/mailboxes/{box}/folders", json={"chosen": []}).json()["code"] == "folders.none"
    mine.put(f"/mailboxes/{box}/folders", json={"everything": True})
    assert len(mine.get("/threads?folder=all").json()["items"]) == 1
    watched = mine.patch(f"/mailboxes/{box}/folders/{ids['Sent']}", json={"watched": True}).json()
    assert {row["name"] for row in watched["folders"] if row["watched"]} == {"INBOX", "Sent"}


def test_scope_is_changed_and_null_is_everything(aino: Actor) -> None:
    box = a_mailbox(aino)
    mine = client(aino)
    changed = mine.patch(f"/mailboxes/{box}", json={"history_days": 90, "contacts_only": True}).json()
    assert (changed["history_days"], changed["contacts_only"]) == (90, True)
    assert mine.patch(f"/mailboxes/{box}", json={"display_name": "x"}).json()["history_days"] == 90
    assert mine.patch(f"/mailboxes/{box}", json={"history_days": None}).json()["history_days"] is None
    assert mine.patch(f"/mailboxes/{box}", json={"history_days": 0}).status_code == 422


def test_quarantine_is_listed_with_reasons_handed_out_and_tried_again(aino: Actor) -> None:
    """B02; the sentence is the reader's, the bytes are the owner's alone and never a document."""
    box = a_mailbox(aino)
    kept, lost = a_quarantined(box), a_quarantined(box, None, reason="quarantine.not_handed_out", reason_params={})
    a_quarantined(box, reason="A sentence of version 0.1.", reason_params={})
    mine = client(aino)
    first, second, third = mine.get("/quarantine").json()["items"]
    assert (first["sender"], first["subject"], first["code"]) == ("Zoe", "Odd", "quarantine.deeper")
    assert first["reason"] == "This email is nested deeper than 50 levels."
    assert (second["sender"], second["size"], third["reason"]) == ("", None, "A sentence of version 0.1.")
    japanese = quarantine.list_quarantine(Actor(aino.user_id, language="ja"))[0].reason
    assert "50" in japanese
    assert japanese != first["reason"]
    raw = mine.get(f"/quarantine/{kept}/raw")
    assert raw.content.startswith(b"Subject: Odd")
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.headers["content-disposition"].startswith("attachment")
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in raw.headers["content-security-policy"]
    assert mine.get(f"/quarantine/{lost}/raw").status_code == 404
    assert mine.post(f"/quarantine/{kept}/retry").json() == {"retried": 1}
    assert mine.post(f"/quarantine/{kept}/retry").status_code == 404
    assert mine.post("/quarantine/retry").json() == {"retried": 2}
    with reading() as session:
        assert len(session.exec(select(PendingUid)).all()) == 3


def test_quarantine_is_nobody_elses(aino: Actor) -> None:
    """M25, over the session's route as over REST."""
    box = a_mailbox(aino)
    item = a_quarantined(box)
    boris = a_user("Boris", admin=True)
    theirs = client(boris)
    assert theirs.get("/quarantine").json()["items"] == []
    assert theirs.post("/quarantine/retry").json() == {"retried": 0}
    assert quarantine.retry(boris, item) == 0
    assert quarantine.retry(boris, mailbox_id=box) == 0
    assert (quarantine.count(aino), quarantine.count(boris)) == (1, 0)
    with transaction() as session:
        cookies = {actor.user_id: sessions.start(session, actor.user_id) for actor in (aino, boris)}
    site = Starlette(routes=downloads.ROUTES)
    answers = {
        who: TestClient(site, cookies={sessions.cookie_name(): cookies[who]} if who in cookies else {}).get(path)
        for who, path in (
            (aino.user_id, f"/quarantine/{item}/raw"), (boris.user_id, f"/quarantine/{item}/raw"), (0, f"/quarantine/{item}/raw"),
        )
    }  # fmt: skip
    assert [answers[who].status_code for who in (aino.user_id, boris.user_id, 0)] == [200, 404, 401]
    own = TestClient(site, cookies={sessions.cookie_name(): cookies[aino.user_id]})
    for nonsense in ("0", "-1", str(10**30), "abc", "1.5", "١"):
        assert own.get(f"/quarantine/{nonsense}/raw").status_code == 404
    assert own.get("/quarantine/999999/raw").text == answers[boris.user_id].text


def test_another_version_tries_again_once_by_itself(aino: Actor) -> None:
    """B02: after an upgrade what the older one could not read is fetched again; what this one failed on is not."""
    box = a_mailbox(aino)
    a_quarantined(box, version="0.0.1")
    own = a_quarantined(box)
    with transaction() as session:
        assert quarantine.retry_older(session, box) == 1
        assert quarantine.retry_older(session, box) == 0
    with reading() as session:
        assert [(row.id, row.version) for row in session.exec(select(Quarantined))] == [(own, __version__)]
