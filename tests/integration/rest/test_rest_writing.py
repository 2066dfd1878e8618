"""REST over templates and signatures (M07, M08): the whole life of each, whose they are, what is refused."""

from __future__ import annotations

import base64

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from tests.builders import a_mailbox, a_user
from tests.integration.writing.pictures import PNG

pytestmark = pytest.mark.usefixtures("db")


def client(actor: Actor) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {users.create_token(actor)}"})


def test_a_template_is_made_found_changed_moved_and_deleted() -> None:
    """M07; expressions that are typed out come back as the pills that the editor shows."""
    mine = client(a_user())
    files = [
        {"filename": "a.pdf", "content_type": "application/pdf", "content": base64.b64encode(b"%PDF").decode()},
        {"filename": "l.png", "content": base64.b64encode(PNG).decode(), "inline": True},
    ]
    made = mine.post(
        "/templates",
        json={"name": "Pilot", "subject": "{{ deal.title }}", "html": "<p>Hi {{ person.name }}</p>", "files": files},
    )
    assert made.status_code == 201
    row = made.json()
    assert 'data-field="person.name"' in row["html"]
    assert [(file["content_type"], file["inline"]) for file in row["files"]] == [
        ("application/pdf", False), ("image/png", True),
    ]  # fmt: skip
    other = mine.post("/templates", json={"name": "Other"}).json()
    assert [each["name"] for each in mine.get("/templates").json()["items"]] == ["Pilot", "Other"]
    moved = mine.patch(f"/templates/{other['id']}", json={"before_id": row["id"], "folder": "", "shared": False})
    assert moved.status_code == 200
    assert [each["name"] for each in mine.get("/templates").json()["items"]] == ["Other", "Pilot"]
    assert [each["name"] for each in mine.get("/templates?q=hi").json()["items"]] == ["Pilot"]
    changed = mine.patch(f"/templates/{row['id']}", json={"name": "Pilot pricing", "shared": True}).json()
    assert (changed["name"], changed["shared"], changed["subject"]) == ("Pilot pricing", True, "{{ deal.title }}")
    assert mine.delete(f"/templates/{row['id']}").status_code == 204
    assert mine.get(f"/templates/{row['id']}").status_code == 404


def test_others_read_a_shared_template_and_change_none() -> None:
    aino, bo, root = a_user(), a_user("Bo"), a_user("Root", admin=True)
    row = client(aino).post("/templates", json={"name": "Pilot"}).json()
    path = f"/templates/{row['id']}"
    for who in (bo, root):
        theirs = client(who)
        for answer in (theirs.get(path), theirs.patch(path, json={"name": "x"}), theirs.delete(path)):
            assert answer.status_code == 404
        assert theirs.get("/templates").json()["items"] == []
    client(aino).patch(path, json={"shared": True})
    theirs = client(bo)
    assert theirs.get(path).json()["changeable"] is False
    for answer in (theirs.patch(path, json={"name": "x"}), theirs.delete(path)):
        assert (answer.status_code, answer.json()["code"]) == (422, "template.not_yours")
    assert client(root).patch(path, json={"name": "Pilot pricing"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "x", "titel": "y"}, None),
        ({"subject": "x"}, None),
        ({"name": "x", "html": "{{ ''.__class__ }}"}, "merge.refused"),
        ({"name": "x", "html": "{% for x in y %}{% endfor %}"}, "merge.statement"),
        ({"name": "x", "files": [{"filename": "a", "content": "no base64!"}]}, "input.invalid"),
        ({"name": "x", "files": [{"filename": "a.png", "content": "AAAA", "inline": True}]}, "image.not_one"),
    ],
)
def test_a_bad_template_is_refused_and_leaves_nothing(body: dict[str, object], code: str | None) -> None:
    mine = client(a_user())
    answer = mine.post("/templates", json=body)
    assert answer.status_code == 422
    assert code is None or answer.json()["code"] == code
    assert mine.get("/templates").json()["items"] == []


def test_a_signature_is_made_used_by_a_mailbox_and_deleted() -> None:
    """M08."""
    aino, root = a_user(), a_user("Root", admin=True)
    box = a_mailbox(aino)
    mine, theirs = client(aino), client(root)
    row = mine.post("/signatures", json={"name": "Work", "html": "<p>Aino<script>x</script></p>"}).json()
    assert row["html"] == "<p>Aino</p>"
    path = f"/signatures/{row['id']}"
    used = mine.patch(path, json={"uses": [{"mailbox_id": box, "use": "new"}]}).json()
    assert used["uses"] == [{"mailbox_id": box, "use": "new"}]
    for answer in (theirs.get(path), theirs.patch(path, json={"name": "x"}), theirs.delete(path)):
        assert answer.status_code == 404
    assert theirs.get("/signatures").json()["items"] == []
    assert mine.patch(path, json={"uses": [{"mailbox_id": box, "use": "always"}]}).status_code == 422
    assert mine.patch(path, json={"name": None}).status_code == 422
    assert mine.patch(path, json={"nam": "x"}).status_code == 422
    assert mine.delete(path).status_code == 204
    assert mine.get("/signatures").json()["items"] == []
