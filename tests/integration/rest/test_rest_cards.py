"""REST says of a message what the interface shows: invitation, signature, what is on the server; split and merge."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.models import Mailbox
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.parse.message import parse_for_list
from tests.builders import a_mailbox, a_user

Client = Callable[[Actor], TestClient]


@pytest.fixture
def client(db: str) -> Iterator[Client]:
    opened: list[TestClient] = []

    def make(actor: Actor) -> TestClient:
        headers = {"Authorization": f"Bearer {users.create_token(actor, 'test')}"}
        opened.append(TestClient(app, headers=headers, raise_server_exceptions=False))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def arrive(mailbox_id: int, name: str, rest: str, parent: str = "") -> int:
    threading = f"In-Reply-To: <{parent}>\r\n" if parent else ""
    raw = f"From: Mika <mika@x.test>\r\nSubject: {name}\r\nMessage-ID: <{name}>\r\n{threading}{rest}".encode()
    sha = blobs.put(raw)
    with transaction() as session:
        owner = store.owner_of(session, session.get_one(Mailbox, mailbox_id))
        return store.store(session, owner, [store.Incoming(sha, len(raw), parse_for_list(raw), None, "in", False)])[sha]


def test_an_invitation_and_a_signature(client: Client) -> None:
    aino = a_user()
    box = a_mailbox(aino)
    calendar = "BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nBEGIN:VEVENT\r\nSUMMARY:Audit\r\nDTSTART:20260702T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    invited = arrive(box, "inv", f"Content-Type: text/calendar; method=CANCEL\r\n\r\n{calendar}")
    signed = arrive(
        box, "sig",
        "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nhello\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n",
    )  # fmt: skip
    sealed = arrive(box, "enc", "Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\nxx")
    rest = client(aino)
    found = rest.get(f"/messages/{invited}").json()
    assert (found["event"]["summary"], found["event"]["cancelled"], found["event_n"]) == ("Audit", True, 1)
    assert found["event"]["start"].startswith("2026-07-02T10:00")
    found = rest.get(f"/messages/{signed}").json()
    assert (found["security"], found["has_attachments"], found["event"]) == ("pgp_signed", False, None)
    assert found["attachments"][0] | {"size": 0} == {
        "n": 1, "filename": "attachment-1.asc", "content_type": "application/pgp-signature", "size": 0, "inline": True,
        "on_server": False,
    }  # fmt: skip
    assert rest.get(f"/messages/{sealed}").json()["security"] == "smime_encrypted"


def test_split_and_merge(client: Client) -> None:
    aino, bob = a_user(), a_user("Bob")
    box = a_mailbox(aino)
    first, second = arrive(box, "a@t", "\r\nx"), arrive(box, "b@t", "\r\ny", "a@t")
    rest, his = client(aino), client(bob)
    old = rest.get(f"/messages/{first}").json()["thread_id"]
    for path, body in ((f"/threads/{old}/split", {"message_id": second}), (f"/threads/{old}/merge", {"into": old + 1})):
        assert his.post(path, json=body).status_code == 404
    assert rest.post(f"/threads/{old}/split", json={"message_id": 10**9}).status_code == 404
    assert rest.post(f"/threads/{old}/split", json={"message_id": "x"}).status_code == 422
    assert rest.post(f"/threads/{old}/split", json={"message_id": first}).status_code in (400, 409, 422)

    made = rest.post(f"/threads/{old}/split", json={"message_id": second}).json()

    assert [each["id"] for each in made["messages"]] == [second]
    assert [each["id"] for each in rest.get(f"/threads/{old}").json()["messages"]] == [first]
    assert his.post(f"/threads/{made['id']}/merge", json={"into": old}).status_code == 404
    merged = rest.post(f"/threads/{made['id']}/merge", json={"into": old}).json()
    assert [each["id"] for each in merged["messages"]] == [first, second]
    assert rest.get(f"/threads/{made['id']}").status_code == 404
