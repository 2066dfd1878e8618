"""The REST interface over both databases: what a token sees, what it is refused, and in which words (contract.md)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlmodel import col, update
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.models import ApiToken, Deal, Lead, utcnow
from mailcrm.services import notifications, paging
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

Client = Callable[[Actor], TestClient]


@pytest.fixture
def client(db: str) -> Iterator[Client]:
    """Makes a client with a fresh token of an actor."""
    opened: list[TestClient] = []

    def make(actor: Actor) -> TestClient:
        token = users.create_token(actor, "test")
        found = TestClient(app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)
        opened.append(found)
        return found

    yield make
    for each in opened:
        each.close()


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that a response is the problem we expect; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found["code"] == code
    assert found["status"] == status
    return found


def test_no_token_an_unknown_one_and_a_revoked_one_are_refused(client: Client) -> None:
    aino = client(a_user())
    assert aino.get("/me").json()["name"] == "Aino"
    for headers in ({}, {"Authorization": "Bearer mcrm_nothing"}, {"Authorization": "Basic YTpi"}):
        response = TestClient(app).get("/me", headers=headers)
        problem(response, 401, "auth.token")
        assert response.headers["www-authenticate"].startswith("Bearer")
    with transaction() as session:
        session.exec(update(ApiToken).where(col(ApiToken.revoked_at).is_(None)).values(revoked_at=utcnow()))
    problem(aino.get("/me"), 401, "auth.token")


def test_a_session_cookie_is_not_a_token(client: Client) -> None:
    """F16: another site's page can send cookies, never the Authorization header."""
    from mailcrm.services.auth import sessions

    actor = a_user()
    with transaction() as session:
        secret = sessions.start(session, actor.user_id)
    problem(TestClient(app, cookies={sessions.cookie_name(): secret}).get("/me"), 401, "auth.token")


def test_mail_of_a_colleague_is_not_there_in_any_way(client: Client) -> None:
    """M25: every route with a foreign id answers as if nothing was there, for an administrator too."""
    aino, boris = a_user(), a_user("Boris", admin=True)
    box = a_mailbox(aino)
    message = a_message(box, subject="Secret tender")
    theirs = client(boris)
    assert client(aino).get(f"/messages/{message.id}").status_code == 200
    for method, path, body in (
        ("GET", f"/mailboxes/{box}", None),
        ("PATCH", f"/mailboxes/{box}", {"paused": True}),
        ("DELETE", f"/mailboxes/{box}", None),
        ("GET", f"/mailboxes/{box}/ledger", None),
        ("POST", f"/mailboxes/{box}/sync", None),
        ("GET", f"/threads/{message.thread_id}", None),
        ("GET", f"/threads/{message.thread_id}/messages", None),
        ("PATCH", f"/threads/{message.thread_id}", {"read": True}),
        ("PATCH", f"/threads/{message.thread_id}", {"visibility": "shared"}),
        ("PATCH", f"/threads/{message.thread_id}", {"archived": True}),
        ("DELETE", f"/threads/{message.thread_id}", None),
        ("GET", f"/messages/{message.id}", None),
        ("GET", f"/messages/{message.id}?include=body,headers", None),
        ("GET", f"/messages/{message.id}/raw", None),
        ("GET", f"/messages/{message.id}/attachments/1", None),
        ("GET", f"/messages/{message.id}/tracking", None),
        ("POST", "/messages", {"mailbox_id": box, "to": ["x@y.test"], "text": "hi"}),
        ("GET", "/outbox/1", None),
        ("POST", "/notifications/1/read", None),
    ):
        problem(theirs.request(method, path, json=body), 404, "not_found")
    assert theirs.get("/threads?folder=all").json() == {"items": [], "next_cursor": None}
    assert theirs.get("/mailboxes").json()["items"] == []
    deal = a_deal(aino)
    problem(theirs.patch(f"/threads/{message.thread_id}", json={"deal_id": deal.card.id}), 404, "not_found")


def test_a_shared_and_linked_message_is_read_but_not_changed_by_a_colleague(client: Client) -> None:
    """M24: sharing needs both the visibility and a link."""
    aino, boris = a_user(), a_user("Boris")
    message = a_message(a_mailbox(aino), visibility="shared")
    theirs = client(boris)
    problem(theirs.get(f"/messages/{message.id}"), 404, "not_found")
    deal = a_deal(aino)
    mine = client(aino)
    linked = mine.patch(f"/threads/{message.thread_id}", json={"deal_id": deal.card.id})
    assert [each["id"] for each in linked.json()["links"] if each["kind"] == "deal"] == [deal.card.id]
    assert theirs.get(f"/messages/{message.id}").json()["links"][0]["id"] == deal.card.id
    problem(theirs.patch(f"/threads/{message.thread_id}", json={"archived": True}), 404, "not_found")
    assert mine.patch(f"/threads/{message.thread_id}", json={"deal_id": None}).json()["links"] == []
    problem(theirs.get(f"/messages/{message.id}"), 404, "not_found")


def test_a_message_has_the_fields_of_the_contract(client: Client) -> None:
    aino = a_user()
    message = a_message(a_mailbox(aino), sender="Mika <mika@saimaa.test>", text="Kiitos!", tracked=True)
    found = client(aino).get(f"/messages/{message.id}?include=body,headers").json()
    wanted = {
        "id", "thread_id", "mailbox_id", "rfc_message_id", "direction", "subject", "snippet", "from", "to", "cc", "bcc",
        "sent_at", "received_at", "read", "archived", "visibility", "has_attachments", "attachments", "links", "tracking",
        "html", "text", "headers",
    }  # fmt: skip
    assert wanted <= set(found)
    assert found["from"] == {"name": "Mika", "address": "mika@saimaa.test", "person_id": None}
    assert found["text"].strip() == "Kiitos!"
    assert found["html"] is None
    assert found["tracking"] == {"opens": 0, "clicks": 0, "first_opened_at": None, "last_opened_at": None}
    assert found["sent_at"].endswith(("Z", "+00:00"))
    assert ["Message-ID", f"<{message.rfc_message_id}>"] in [[h["name"], h["value"]] for h in found["headers"]]
    raw = client(aino).get(f"/messages/{message.id}/raw")
    assert raw.content.startswith(b"From: Mika")
    assert raw.headers["content-disposition"].startswith("attachment")


def test_lists_page_by_cursor_without_loss_or_repetition(client: Client) -> None:
    aino = a_user()
    box = a_mailbox(aino)
    expected = {a_message(box, subject=f"Number {n}").thread_id for n in range(7)}
    mine = client(aino)
    seen = walk(mine, "/threads")
    assert len(seen) == 7
    assert set(seen) == expected


def walk(mine: TestClient, path: str) -> list[int]:
    """Follow a list's cursors, three rows at a time; return the ids as they came."""
    seen: list[int] = []
    sizes: list[int] = []
    cursor: str | None = ""
    while cursor is not None and len(sizes) < 5:
        response = mine.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        found = response.json()
        seen += [each["id"] for each in found["items"]]
        sizes.append(len(found["items"]))
        cursor = found["next_cursor"]
    assert sizes == [3, 3, 1]
    return seen


@pytest.mark.parametrize("path", ["/deals", "/leads", "/organizations", "/notifications"])
def test_every_row_of_the_crm_and_the_bell_is_within_reach(client: Client, path: str) -> None:
    """Also where several rows have the same moment or name, and where a name is as long as names get."""
    aino = a_user()
    mine = client(aino)
    same = utcnow()
    if path == "/notifications":
        with transaction() as session:
            for _ in range(7):
                notifications.notify(session, aino.user_id, "info", at=same)
            notifications.notify(session, a_user("Boris").user_id, "info", at=same)
        expected = sorted((each.id for each in notifications.list_notifications(aino)), reverse=True)
    else:
        names = ["Saimaa Oy"] * 5 + ["𝔖" * 200] * 2
        field = "name" if path == "/organizations" else "title"
        expected = [mine.post(path, json={field: name}).json()["id"] for name in names]
        if path != "/organizations":
            expected.reverse()
            with transaction() as session:
                for model in (Deal, Lead):
                    session.exec(update(model).values(created_at=same))
    assert walk(mine, path) == expected
    assert mine.get(path, params={"limit": 7}).json()["next_cursor"] is None


@pytest.mark.parametrize("path", ["/deals", "/leads", "/organizations", "/notifications"])
def test_a_cursor_that_was_never_given_is_refused(client: Client, path: str) -> None:
    mine = client(a_user())

    def packed(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    junk = ["nonsense", "é", packed([]), packed({"a": 1}), packed([1, "a"]), packed(["2024-01-01T00:00:00+00:00", -1])]
    if path != "/organizations":
        junk += [paging.cursor_text("Saimaa Oy", 1), packed(["2024-01-01T00:00:00", 1])]
        junk += [packed(["0001-01-01T00:00:00+14:00", 1]), packed(["9999-12-31T23:59:59-14:00", 1])]
    for cursor in junk:
        problem(mine.get(path, params={"cursor": cursor}), 422, "input.invalid")


def test_threads_are_narrowed_to_a_lead_and_to_a_visibility(client: Client) -> None:
    aino = a_user()
    box = a_mailbox(aino)
    private, shared = a_message(box), a_message(box, visibility="shared")
    mine = client(aino)
    lead = mine.post("/leads", json={"title": "Boats"}).json()["id"]
    mine.patch(f"/threads/{private.thread_id}", json={"lead_id": lead})

    def found(query: str) -> list[int]:
        return [each["id"] for each in mine.get(f"/threads?{query}").json()["items"]]

    assert found(f"lead_id={lead}") == [private.thread_id]
    assert found("visibility=private") == [private.thread_id]
    assert found("visibility=shared") == [shared.thread_id]
    problem(mine.get("/threads?lead_id=999"), 404, "not_found")
    problem(mine.get("/threads?visibility=public"), 422, "input.invalid")


def test_unknown_fields_bad_values_and_bad_ids_are_refused(client: Client) -> None:
    aino = a_user()
    message = a_message(a_mailbox(aino))
    mine = client(aino)
    found = problem(mine.patch(f"/threads/{message.thread_id}", json={"unred": True}), 422, "input.invalid")
    assert found["errors"][0]["at"] == ["body", "unred"]
    problem(mine.patch(f"/threads/{message.thread_id}", json={"visibility": "public"}), 422, "input.invalid")
    problem(mine.get("/threads?folder=nowhere"), 422, "input.invalid")
    problem(mine.get("/threads?limit=100000"), 422, "input.invalid")
    problem(mine.get("/threads?opend=true"), 422, "input.invalid")  # ignored, it would give every thread
    problem(mine.delete(f"/threads/{message.thread_id}?really=no"), 422, "input.invalid")
    problem(mine.get(f"/messages/{message.id}?include=everything"), 422, "input.invalid")
    problem(mine.get("/messages/99999999999999999999999"), 422, "input.invalid")
    problem(mine.get("/messages/999999"), 404, "not_found")
    problem(mine.get("/nowhere"), 404, "not_found")
    problem(mine.put("/me"), 405, "method_not_allowed")
    assert not threads.open_thread(aino, message.thread_id).messages[0].read


def test_a_refused_body_never_repeats_a_password(client: Client) -> None:
    spec = {"host": "127.0.0.1", "port": 1, "security": "none"}
    body = {"address": "a@b.test", "imap": spec, "smtp": spec, "password": "hunter2hunter2", "wrong": 1}
    response = client(a_user()).post("/mailboxes", json=body)
    problem(response, 422, "input.invalid")
    assert "hunter2" not in response.text


def test_a_mailbox_whose_server_refuses_is_not_saved(client: Client) -> None:
    """Bad input: closed port, one sentence, nothing saved half. A member is not told of this machine's ports."""
    mine = client(a_user(admin=True))
    spec = {"host": "127.0.0.1", "port": 1, "security": "none"}
    body = {"address": "a@b.test", "imap": spec, "smtp": spec, "password": "x"}
    found = problem(mine.post("/mailboxes", json=body), 422, "server.refused")
    assert "127.0.0.1 refuses connections on port 1" in found["detail"]
    assert mine.get("/mailboxes").json()["items"] == []


def test_sending_twice_with_one_key_queues_one_message(client: Client) -> None:
    aino = a_user()
    box = a_mailbox(aino)
    mine = client(aino)
    body = {
        "mailbox_id": box,
        "to": ["Lena Vogt <lena@nordlicht.test>"],
        "subject": "Terms",
        "text": "Both confirmed.",
        "attachments": [{"filename": "a.txt", "content": base64.b64encode(b"file").decode()}],
    }
    first = mine.post("/messages", json=body, headers={"Idempotency-Key": "k1"})
    assert first.status_code == 202, first.text
    assert first.json()["state"] == "queued"
    again = mine.post("/messages", json=body, headers={"Idempotency-Key": "k1"})
    assert again.json()["id"] == first.json()["id"]
    other = mine.post("/messages", json=body, headers={"Idempotency-Key": "k2"})
    assert other.json()["id"] != first.json()["id"]
    taken_back = mine.patch(f"/outbox/{first.json()['id']}", json={"state": "draft"})
    assert taken_back.json()["state"] == "draft"
    assert mine.delete(f"/outbox/{first.json()['id']}").status_code == 204
    problem(mine.get(f"/outbox/{first.json()['id']}"), 404, "not_found")


def test_a_message_that_cant_be_sent_leaves_no_draft(client: Client) -> None:
    from mailcrm.services.mail.outbox import queue

    aino = a_user()
    body = {"mailbox_id": a_mailbox(aino), "to": [], "text": "hi"}
    assert client(aino).post("/messages", json=body).status_code == 422
    assert queue.list_drafts(aino) == ()


def test_deals_are_made_moved_won_and_reopened(client: Client) -> None:
    mine = client(a_user())
    stages = mine.get("/pipelines").json()["items"][0]["stages"]
    made = mine.post("/deals", json={"title": "Büsum expansion", "value_minor": 4820000, "currency": "EUR"})
    assert made.status_code == 201
    deal = made.json()
    assert deal["stage_id"] == stages[0]["id"]
    assert (
        mine.post(f"/deals/{deal['id']}/move", json={"stage_id": stages[4]["id"]}).json()["stage_id"] == stages[4]["id"]
    )
    assert mine.post(f"/deals/{deal['id']}/win").json()["status"] == "won"
    assert mine.post(f"/deals/{deal['id']}/reopen").json()["status"] == "open"
    assert mine.post(f"/deals/{deal['id']}/lose", json={"reason": "Price"}).json()["lost_reason"] == "Price"
    assert mine.patch(f"/deals/{deal['id']}", json={"title": "Büsum"}).json()["title"] == "Büsum"
    kinds = [each["kind"] for each in mine.get(f"/deals/{deal['id']}/timeline").json()["items"]]
    assert "created" in kinds
    assert mine.delete(f"/deals/{deal['id']}").status_code == 204
    problem(mine.get(f"/deals/{deal['id']}"), 404, "not_found")


def test_persons_organizations_and_leads(client: Client) -> None:
    aino = a_user()
    mine = client(aino)
    person = mine.post(
        "/persons", json={"name": "佐藤 彩", "addresses": ["sato@miura.test"], "organization": "三浦水産"}
    ).json()
    assert person["address"] == "sato@miura.test"
    assert mine.patch(f"/persons/{person['id']}", json={"add_address": "aya@miura.test"}).json()["addresses"] == [
        "sato@miura.test",
        "aya@miura.test",
    ]
    assert [each["name"] for each in mine.get("/persons?q=佐藤").json()["items"]] == ["佐藤 彩"]
    assert mine.get("/organizations").json()["items"][0]["name"] == "三浦水産"
    lead = mine.post("/leads", json={"title": "Clyde trout", "person_id": person["id"]}).json()
    deal = mine.post(f"/leads/{lead['id']}/convert").json()
    assert mine.post(f"/leads/{lead['id']}/convert").json()["id"] == deal["id"]
    assert a_person(aino, "Second").card.id != person["id"]


def test_the_description_names_every_operation_and_the_page_needs_no_other_host(client: Client) -> None:
    found = TestClient(app).get("/openapi.json").json()
    assert {"/threads", "/messages", "/deals/{deal_id}/win", "/mailboxes/{mailbox_id}/ledger"} <= set(found["paths"])
    page = TestClient(app).get("/docs")
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("https://", "")
    assert "cdn" not in page.text
    for path in found["paths"]:
        assert f"/api/v1{path}" in page.text


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: Client) -> None:
    mine = client(a_user())

    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield b" " * 1024 * 1024

    problem(mine.post("/persons", content=endless()), 413, "too_large")
    problem(mine.post("/persons", content=b"", headers={"Content-Length": str(10**12)}), 413, "too_large")
