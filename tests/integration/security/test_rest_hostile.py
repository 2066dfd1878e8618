"""The REST interface with hostile bodies, numbers and cursors (security.md threats 13, 15): a problem document each time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app as rest_app
from mailcrm.services.auth import users
from mailcrm.services.crm import pipelines
from mailcrm.services.db import transaction
from mailcrm.services.mail.outbox import draft
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

TEXTS = {
    "nul": "a\x00b",
    "crlf": "a\r\nBcc: evil@evil.test",
    "lf": "a\nX-Evil: 1",
    "surrogate": "\ud800",
    "nel": "a\x85b\u2028c\u2029d\x0be",
    "bidi": "a\u202egnp.exe",
    "long": "x" * 200_000,
    "encoded": "=?utf-8?q?a=0D=0ABcc=3A_e=40e.e?=",
    "mark": "<reflex.Var>x</reflex.Var>",
    "sql": "'; DROP TABLE messages; --",
    "like": "%_\\%" * 40,
    "format": "{0.__class__}%s%(x)s",
}
#: Every operation that takes text, with the fields that take it.
BODIES: dict[str, dict[str, Any]] = {
    "POST /persons": {"name": "T", "addresses": ["T"], "phones": ["T"], "organization": "T", "job_title": "T"},
    "PATCH /persons/1": {"name": "T", "add_address": "T", "organization": "T", "consent": "granted", "consent_source": "T"},
    "POST /organizations": {"name": "T", "domains": ["T"]},
    "POST /deals": {"title": "T"},
    "PATCH /deals/1": {"title": "T"},
    "POST /deals/1/lose": {"reason": "T"},
    "POST /leads": {"title": "T"},
    "PATCH /mailboxes/1": {"display_name": "T"},
    "POST /messages": {"mailbox_id": 1, "to": ["T <a@b.test>"], "subject": "T", "html": "T", "text": "T",
                       "attachments": [{"filename": "T", "content_type": "T", "content": "QUJD"}]},
    "POST /mailboxes": {"address": "T@x.test", "password": "T", "display_name": "T", "folders": ["T"],
                        "imap": {"host": "127.0.0.1", "port": 1, "security": "none", "username": "T"},
                        "smtp": {"host": "T", "port": 1, "security": "none", "username": "T"}},
}  # fmt: skip
QUERIES = ("/threads?q=T", "/threads?cursor=T", "/persons?q=T", "/persons?cursor=T", "/deals?q=T", "/leads?q=T",
           "/organizations?q=T", "/deals/1/timeline?cursor=T", "/messages/1?include=T", "/threads?folder=T",
           "/notifications?kind=T")  # fmt: skip


@pytest.fixture
def client(sqlite_db: object) -> TestClient:
    """A user's client; the row with id 1 of each kind is theirs."""
    return a_client()


@pytest.fixture
def each_client(db: str) -> TestClient:
    """The same on both databases: what a text may hold is theirs to refuse."""
    return a_client()


def a_client() -> TestClient:
    """Make the user, the rows and the client."""
    actor = a_user()
    with transaction() as session:
        pipelines.ensure_default(session)
    box = a_mailbox(actor)
    a_message(box)
    a_deal(actor, person=a_person(actor))
    token = users.create_token(actor)
    return TestClient(rest_app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)


def filled(body: Any, text: str) -> Any:
    if isinstance(body, dict):
        return {name: filled(value, text) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(each, text) for each in body]
    return body.replace("T", text) if isinstance(body, str) else body


@pytest.mark.parametrize("kind", TEXTS)
def test_hostile_texts_break_nothing(each_client: TestClient, kind: str) -> None:
    """Both databases: stored cleaned, or refused with a sentence; never a broken request."""
    client, broken = each_client, []
    for operation, body in BODIES.items():
        method, _, path = operation.partition(" ")
        content = json.dumps(filled(body, TEXTS[kind])).encode()
        answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
        if answer.status_code >= 500 and answer.json()["code"] == "internal":
            broken.append(operation)
        assert "Traceback" not in answer.text
    for path in QUERIES:
        url, _, _ = path.partition("T")
        try:
            answer = client.get(url.partition("?")[0], params={url.partition("?")[2].rstrip("="): TEXTS[kind][:5000]})
        except UnicodeEncodeError:  # a lone surrogate has no spelling in an address
            continue
        if answer.status_code >= 500:
            broken.append(path)
    assert broken == []


NUMBERS = ("-1", "0", "999999999999", str(2**63), str(10**30), "1e9", "NaN", "1" * 5000)


@pytest.mark.parametrize("number", NUMBERS)
def test_hostile_numbers_break_nothing(client: TestClient, number: str) -> None:
    """Limits, ids in filters, ids and amounts in bodies."""
    for path in ("/threads?limit=", "/persons?limit=", "/notifications?limit=", "/deals/1/timeline?limit=", "/threads?mailbox_id=",
                 "/threads?deal_id=", "/threads?person_id=", "/messages/1/attachments/", "/threads/", "/persons/"):  # fmt: skip
        assert client.get(path + number).status_code < 500, path
    if not number.isascii() or number == "NaN":
        return
    for operation, field in (
        ("POST /deals", "value_minor"), ("POST /deals", "person_id"), ("POST /deals", "stage_id"), ("POST /deals/1/move", "stage_id"),
        ("PATCH /threads/1", "deal_id"), ("PATCH /threads/1", "lead_id"), ("POST /messages", "mailbox_id"),
        ("POST /messages", "reply_to_message_id"), ("POST /messages", "deal_id"), ("PATCH /deals/1", "participants"),
    ):  # fmt: skip
        method, _, path = operation.partition(" ")
        body = f'{{"title": "t", "to": [], "mailbox_id": 1, "{field}": {f"[{number}]" if field == "participants" else number}}}'
        if path != "/messages":
            body = body.replace('"to": [], "mailbox_id": 1, ', "")
        if method == "PATCH" or path.endswith("move"):
            body = body.replace('"title": "t", ', "")
        answer = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (operation, field, answer.text)


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 50_000, "", "null", "[]", '"x"', "{", '{"name":1e999}', "\xff"]
)
def test_hostile_json_breaks_nothing(client: TestClient, body: str) -> None:
    """Deep nesting, other types, no JSON at all."""
    for path in ("/persons", "/messages", "/mailboxes"):
        answer = client.post(path, content=body.encode("latin-1"), headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text


def test_limits_are_held(client: TestClient) -> None:
    """A page has 200 rows at most, whatever is asked; a search text has an end."""
    assert client.get("/threads?limit=1000000000").status_code == 422
    assert client.get("/threads?q=" + "a" * 3000).status_code == 422


def test_a_search_of_wildcards_is_quick(client: TestClient) -> None:
    """No text of a search makes the database backtrack. The bound is wide; what it catches is a squared time."""
    actor_box = 1
    for number in range(30):
        a_message(actor_box, subject="a" * 900 + str(number), text="b" * 2000)
    started = time.monotonic()
    for text in (
        "%a" * 100,
        "_" * 200,
        "a*" * 100,
        '"' * 199,
        "(" * 200,
        "from:" * 40,
        "\\" * 200,
        "a b " * 50,
        "é" * 200,
    ):
        assert client.get("/threads", params={"folder": "all", "q": text}).status_code == 200
    assert time.monotonic() - started < 20


def test_attached_names_and_types_stay_in_their_field(client: TestClient) -> None:
    """Threat 15: what goes out has the headers that were meant (building is tested in tests/integration/outbox)."""
    evil = {"filename": 'a"\r\nX-Evil: 1\r\n\r\n.txt', "content_type": "text/html\r\nX-Evil: 1", "content": "QUJD"}
    body = {"mailbox_id": 1, "to": ["a@b.test"], "subject": "s", "text": "t", "attachments": [evil]}
    answer = client.post("/messages", json=body)
    assert answer.status_code in (202, 422)
    if answer.status_code == 202:
        from mailcrm.services.access import Actor

        (file,) = draft.get(Actor(1), answer.json()["id"]).attachments
        assert not {"\r", "\n"} & set(file.filename + file.content_type)


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
@pytest.mark.parametrize("joint", ["\r\nBcc: ", "\n", ", ", "; ", "\u3001"])
def test_an_entry_is_one_recipient(client: TestClient, field: str, joint: str) -> None:
    """Threat 15: a program passes on what somebody typed as an address; a second one in it was not meant."""
    body = {"mailbox_id": 1, "to": ["a@b.test"], "subject": "s", "text": "t", field: [f"a@b.test{joint}evil@evil.test"]}
    answer = client.post("/messages", json=body)
    assert answer.status_code == 422
    assert field in answer.text
    assert client.get("/outbox").json()["items"] == []


def test_the_list_of_operations_is_escaped_once(client: TestClient) -> None:
    assert "&amp;amp;" not in client.get("/docs").text
