"""REST: sending once for a key, later, from a template; the outbox; reminders (contract.md, B10, B13)."""

from __future__ import annotations

from datetime import timedelta

from mailcrm.models import utcnow
from mailcrm.services.writing import templates
from tests.builders import a_mailbox, a_message, a_user
from tests.integration.rest.test_rest import Client, problem
from tests.integration.rest.test_rest import client as client  # the fixture


def body_of(box: int, **more: object) -> dict[str, object]:
    return {"mailbox_id": box, "to": ["Lena <lena@nordlicht.test>"], "subject": "Terms", "text": "Both.", **more}


def test_one_key_is_one_request(client: Client) -> None:
    aino = a_user()
    box, mine = a_mailbox(aino), client(aino)
    first = mine.post("/messages", json=body_of(box), headers={"Idempotency-Key": "k1"})
    assert first.status_code == 202, first.text
    again = mine.post("/messages", json=body_of(box), headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    for other in (body_of(box, subject="Others"), body_of(box, to=["x@y.test"])):
        answer = mine.post("/messages", json=other, headers={"Idempotency-Key": "k1"})
        problem(answer, 409, "outbox.key_used")
    other_user = a_user("Other")  # keys are each user's own
    theirs = client(other_user).post(
        "/messages", json=body_of(a_mailbox(other_user)), headers={"Idempotency-Key": "k1"}
    )
    assert theirs.status_code == 202


def test_later_and_another_time_and_now(client: Client) -> None:
    aino = a_user()
    box, mine = a_mailbox(aino), client(aino)
    day = (utcnow() + timedelta(days=3)).date()
    later = body_of(box, send_local=f"{day}T09:00", send_zone="Asia/Tokyo", remind_days=3)
    made = mine.post("/messages", json=later)
    assert made.status_code == 202, made.text
    assert made.json()["send_at"].startswith(f"{day}T00:00")
    assert (made.json()["send_zone"], made.json()["remind_days"]) == ("Asia/Tokyo", 3)
    url = f"/outbox/{made.json()['id']}"
    moved = mine.patch(url, json={"send_local": f"{day}T10:00", "send_zone": "Asia/Tokyo"})
    assert moved.json()["send_at"].startswith(f"{day}T01:00")
    assert mine.patch(url, json={"send_at": None}).json()["send_local"] == ""
    problem(mine.patch(url, json={}), 422, "input.missing")
    problem(mine.patch(url, json={"state": "sent"}), 409, "outbox.not_failed")
    problem(mine.post("/messages", json=body_of(box, send_at="2020-01-01T00:00:00Z")), 422, "outbox.in_past")
    problem(
        mine.post("/messages", json=body_of(box, send_local="2030-01-01T00:00", send_zone="No")), 422, "outbox.bad_zone"
    )
    problem(client(a_user("Other")).patch(url, json={"send_at": None}), 404, "not_found")


def test_the_list_and_the_tries(client: Client) -> None:
    aino = a_user()
    box, mine = a_mailbox(aino), client(aino)
    ids = [mine.post("/messages", json=body_of(box, subject=f"s{n}")).json()["id"] for n in range(3)]
    mine.patch(f"/outbox/{ids[0]}", json={"state": "draft"})
    assert [row["id"] for row in mine.get("/outbox?state=queued").json()["items"]] == [ids[2], ids[1]]
    first = mine.get("/outbox?limit=2").json()
    rest = mine.get(f"/outbox?limit=2&cursor={first['next_cursor']}").json()
    assert sorted(row["id"] for row in first["items"] + rest["items"]) == sorted(ids)
    assert rest["next_cursor"] is None
    assert mine.get(f"/outbox/{ids[1]}").json()["attempts"] == []
    assert client(a_user("Other")).get("/outbox").json()["items"] == []


def test_from_a_template(client: Client) -> None:
    """M07: the template's subject where there is none, its text above."""
    aino, other = a_user(), a_user("Other")
    box, mine = a_mailbox(aino), client(aino)
    made = templates.create(aino, name="Offer", subject="Our offer", html="<p>As promised.</p>")
    template_id = made.line.id
    body = {"mailbox_id": box, "to": ["lena@nordlicht.test"], "template_id": template_id}
    answer = mine.post("/messages", json=body)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["subject"], answer.json()["snippet"]) == ("Our offer", "As promised.")
    theirs = client(other).post("/messages", json={**body, "mailbox_id": a_mailbox(other)})
    problem(theirs, 404, "not_found")
    assert client(other).get("/outbox").json()["items"] == []  # no draft is left behind


def test_snooze_and_remind(client: Client) -> None:
    aino = a_user()
    box, mine = a_mailbox(aino), client(aino)
    thread = a_message(box).thread_id
    url, until = f"/threads/{thread}", (utcnow() + timedelta(days=2)).isoformat()
    assert mine.patch(url, json={"snoozed_until": until}).json()["snoozed_until"] is not None
    assert mine.get("/threads").json()["items"] == []
    assert [row["id"] for row in mine.get("/threads?folder=snoozed").json()["items"]] == [thread]
    assert [row["kind"] for row in mine.get("/reminders").json()["items"]] == ["snooze"]
    assert mine.patch(url, json={"snoozed_until": None}).json()["snoozed_until"] is None
    assert len(mine.get("/threads").json()["items"]) == 1
    problem(mine.patch(url, json={"remind_days": 3}), 422, "reminder.nothing_sent")
    problem(mine.patch(url, json={"snoozed_until": "2020-01-01T00:00:00Z"}), 422, "reminder.past")
    other = client(a_user("Other"))
    problem(other.patch(url, json={"snoozed_until": until}), 404, "not_found")
    assert other.get("/reminders").json()["items"] == []
