"""REST of activities, notes, labels, custom fields, merging and the trash."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.models import RoleAccess
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.db import transaction
from tests.builders import a_user

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


def test_activities_and_notes(client: Client) -> None:
    rest = client(a_user())
    deal = rest.post("/deals", json={"title": "Saimaa"}).json()["id"]
    body = {"kind": "call", "subject": "Ring", "deal_id": deal, "due_at": "2026-11-30T09:00:00+02:00", "minutes": 15}
    call = rest.post("/activities", json=body).json()
    assert (call["due_on"], call["due_at"], call["done_at"]) == ("2026-11-30", "2026-11-30T07:00:00Z", None)
    assert call["about"] == [{"kind": "deal", "id": deal, "name": "Saimaa"}]
    assert rest.patch(f"/activities/{call['id']}", json={"done": True, "subject": "Rang"}).json()["done_at"]
    assert rest.patch(f"/activities/{call['id']}", json={"due_on": None}).json()["due_at"] is None
    assert [each["subject"] for each in rest.get(f"/activities?deal_id={deal}&done=true").json()["items"]] == ["Rang"]
    note = rest.post("/notes", json={"text": "A note", "deal_id": deal}).json()
    assert rest.patch(f"/notes/{note['id']}", json={"pinned": True}).json()["pinned"] is True
    items = rest.get(f"/deals/{deal}/timeline").json()["items"]
    assert {"note", "activity", "created"} == {each["kind"] for each in items}
    assert [each["kind"] for each in rest.get(f"/deals/{deal}/timeline?shown=notes").json()["items"]] == ["note"]
    for path in (f"/notes/{note['id']}", f"/activities/{call['id']}"):
        assert rest.delete(path).status_code == 204
        assert rest.get(path).status_code == 404
    assert rest.get("/trash?kind=note").json()["items"][0]["name"] == "A note"
    assert rest.post(f"/trash/note/{note['id']}/restore").status_code == 204
    assert rest.get(f"/notes/{note['id']}").status_code == 200
    for bad in (
        {"kind": "party", "subject": "x", "deal_id": deal},
        {"kind": "call", "subject": "x"},
        {"kind": "call", "subject": "", "deal_id": deal},
        {"kind": "call", "subject": "x", "deal_id": deal, "due_at": "2026-11-30T09:00:00"},
        {"kind": "call", "subject": "x", "deal_id": deal, "surprise": 1},
    ):
        assert rest.post("/activities", json=bad).status_code == 422, bad
    assert rest.post("/notes", json={"text": "x", "deal_id": 10**12}).status_code == 404


def test_labels_and_fields_stand_on_rows(client: Client) -> None:
    rest = client(a_user(admin=True))
    for kind, path, body in (
        ("person", "/persons", {"name": "Mika"}),
        ("organization", "/organizations", {"name": "Saimaa"}),
        ("deal", "/deals", {"title": "Phase 2"}),
    ):
        label = rest.post("/labels", json={"kind": kind, "name": "VIP", "color": "jade"}).json()["id"]
        text = rest.post("/custom-fields", json={"kind": kind, "type": "text", "name": "Area"}).json()["id"]
        money = rest.post("/custom-fields", json={"kind": kind, "type": "money", "name": "Budget"}).json()["id"]
        day = rest.post("/custom-fields", json={"kind": kind, "type": "date", "name": "Since"}).json()["id"]
        made = rest.post(path, json=body | {"labels": [label], "custom_fields": {str(text): "North"}})
        assert made.status_code == 201, made.text
        assert made.json()["labels"] == [{"id": label, "name": "VIP", "color": "jade"}]
        assert made.json()["custom_fields"] == {str(text): "North", str(money): None, str(day): None}
        row = f"{path}/{made.json()['id']}"
        budget = {"minor": 5_000_000, "currency": "EUR"}
        changed = rest.patch(row, json={"custom_fields": {str(money): budget, str(day): "2026-01-02"}, "labels": []})
        assert changed.json()["custom_fields"] == {str(text): "North", str(money): budget, str(day): "2026-01-02"}
        assert rest.get(row).json()["labels"] == []
        count = len(rest.get(path).json()["items"])
        for bad, status in (
            ({"custom_fields": {str(money): 5}}, 422), ({"custom_fields": {"x": 5}}, 422),
            ({"custom_fields": {str(10**12): "x"}}, 404), ({"labels": [10**12]}, 404), ({"labels": ["x"]}, 422),
        ):  # fmt: skip
            assert rest.post(path, json=body | bad).status_code == status, bad
            assert rest.patch(row, json=bad).status_code == status, bad
        assert len(rest.get(path).json()["items"]) == count, "nothing half done"
        assert rest.patch(f"/custom-fields/{text}", json={"type": "number"}).status_code == 422, "a type never changes"
        assert rest.delete(f"/custom-fields/{text}").status_code == 204
        assert str(text) not in rest.get(row).json()["custom_fields"]
        assert rest.post(f"/custom-fields/{text}/restore").status_code == 200
        assert rest.get(row).json()["custom_fields"][str(text)] == "North"
    assert [each["name"] for each in rest.get("/labels?kind=person").json()["items"]] == ["VIP"]


def test_merging_over_rest(client: Client) -> None:
    rest = client(a_user())
    one = rest.post("/persons", json={"name": "Mika", "addresses": ["mika@saimaa.test"]}).json()["id"]
    two = rest.post("/persons", json={"name": "Mika", "addresses": ["m@saimaa.test"]}).json()["id"]
    assert [each["other"]["id"] for each in rest.get(f"/persons/{one}/duplicates").json()["items"]] == [two]
    assert rest.get(f"/persons/{one}/merge-preview?merged_id={two}").json()["addresses"] == [
        "mika@saimaa.test",
        "m@saimaa.test",
    ]
    merge_id = rest.post(f"/persons/{one}/merge", json={"person_id": two}).json()["merge_id"]
    assert rest.get(f"/persons/{two}").status_code == 404
    assert [each["id"] for each in rest.get(f"/persons/{one}/merges").json()["items"]] == [merge_id]
    assert rest.post(f"/persons/{one}/merge", json={"person_id": two}).json()["code"] == "merge.already"
    assert rest.post(f"/persons/{one}/merge", json={"person_id": one}).json()["code"] == "merge.same"
    assert rest.post(f"/person-merges/{merge_id}/undo").json() == {"person_id": two}
    assert rest.post(f"/person-merges/{merge_id}/undo").json()["code"] == "merge.undone"
    assert rest.get(f"/persons/{two}").status_code == 200


def test_what_is_out_of_reach_is_not_found(client: Client) -> None:
    """Another user's id gives 404, whatever is asked of it."""
    aino = client(a_user("Aino"))
    person = aino.post("/persons", json={"name": "Mika"}).json()["id"]
    gone = aino.post("/persons", json={"name": "Gone"}).json()["id"]
    note = aino.post("/notes", json={"text": "x", "person_id": person}).json()["id"]
    task = aino.post("/activities", json={"kind": "task", "subject": "x", "person_id": person}).json()["id"]
    aino.delete(f"/persons/{gone}")
    with transaction() as session:
        session.add(RoleAccess(role="member", kind="person", scope="own"))
    bob = client(a_user("Bob"))
    own = bob.post("/persons", json={"name": "Own"}).json()["id"]
    merge_id = aino.post(
        f"/persons/{person}/merge", json={"person_id": aino.post("/persons", json={"name": "M"}).json()["id"]}
    ).json()["merge_id"]
    for method, path, body in (
        ("GET", f"/notes/{note}", None), ("PATCH", f"/notes/{note}", {"text": "y"}), ("DELETE", f"/notes/{note}", None),
        ("GET", f"/activities/{task}", None), ("PATCH", f"/activities/{task}", {"done": True}),
        ("DELETE", f"/activities/{task}", None), ("GET", f"/persons/{person}/merges", None),
        ("GET", f"/persons/{person}/duplicates", None), ("GET", f"/persons/{own}/merge-preview?merged_id={person}", None),
        ("POST", f"/persons/{own}/merge", {"person_id": person}), ("POST", f"/persons/{person}/merge", {"person_id": own}),
        ("POST", f"/person-merges/{merge_id}/undo", None), ("POST", f"/trash/person/{gone}/restore", None),
        ("POST", "/notes", {"text": "x", "person_id": person}), ("GET", f"/persons/{person}/timeline", None),
    ):  # fmt: skip
        assert bob.request(method, path, json=body).status_code == 404, (method, path)
    assert bob.get("/trash?kind=person").json()["items"] == []
    assert bob.get(f"/notes?person_id={person}").json()["items"] == []
