"""/persons and /organizations over REST: all fields, filters, cursors, and changes (contract.md)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from tests.builders import a_user


@pytest.fixture
def aino(db: str) -> Actor:
    return a_user("Aino")


@pytest.fixture
def rest(aino: Actor) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {users.create_token(aino, 'test')}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as opened:
        yield opened


def test_persons(rest: TestClient, aino: Actor) -> None:
    made = rest.post("/persons", json={"name": "Mika", "addresses": ["a@x.test", "b@x.test"], "organization": "Saimaa"})
    assert made.status_code == 201, made.text
    person = made.json()["id"]
    rest.post("/persons", json={"name": "Noor", "organization_id": made.json()["organization_id"]})
    changed = rest.patch(
        f"/persons/{person}", json={"primary_address": "b@x.test", "owner_id": None, "consent": "granted"}
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["addresses"], changed.json()["owner_id"]) == (["b@x.test", "a@x.test"], None)
    assert changed.json()["consent_by"] == "Aino"
    first = rest.get("/persons?sort=-name&limit=1").json()
    assert [row["name"] for row in first["items"]] == ["Noor"]
    rest_of = rest.get(f"/persons?sort=-name&limit=1&cursor={first['next_cursor']}").json()
    assert [row["name"] for row in rest_of["items"]] == ["Mika"]
    for query, names in (
        ("owner_id=0", ["Mika"]),
        (f"owner_id={aino.user_id}", ["Noor"]),
        ("consent=granted", ["Mika"]),
    ):
        assert [row["name"] for row in rest.get(f"/persons?{query}").json()["items"]] == names
    assert rest.get("/persons?sort=age").status_code == 422
    assert rest.post("/persons", json={"name": "X", "addresses": [users.me(aino).email]}).status_code == 422


def test_organizations(rest: TestClient) -> None:
    made = rest.post("/organizations", json={"name": "Saimaa", "domains": ["saimaa.test"], "address": "Kai 3"}).json()
    assert (made["domains"], made["address"]) == (["saimaa.test"], "Kai 3")
    changed = rest.patch(f"/organizations/{made['id']}", json={"domains": ["new.test"], "owner_id": None}).json()
    assert (changed["domains"], changed["owner_id"], changed["name"]) == (["new.test"], None, "Saimaa")
    refused = rest.patch(f"/organizations/{made['id']}", json={"domains": ["gmail.com"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "organization.free_domain")
    assert rest.get(f"/organizations/{made['id']}").json()["domains"] == ["new.test"]


def test_lists_carry_the_workspace_s_fields(rest: TestClient) -> None:
    """`custom_fields` of every row of a page, null where it is empty; leads take labels when they are made."""
    admin = {"Authorization": f"Bearer {users.create_token(a_user('Otso', admin=True), 'test')}"}
    for path, kind, body in (
        ("/persons", "person", {"name": "Mika"}),
        ("/organizations", "organization", {"name": "Saimaa"}),
        ("/deals", "deal", {"title": "Phase 2"}),
    ):
        wanted = {"kind": kind, "type": "number", "name": "Size"}
        field = rest.post("/custom-fields", json=wanted, headers=admin).json()["id"]
        filled = rest.post(path, json=body | {"custom_fields": {str(field): 7}}).json()["id"]
        empty = rest.post(path, json=body).json()["id"]
        found = {each["id"]: each["custom_fields"] for each in rest.get(path).json()["items"]}
        assert found == {filled: {str(field): 7}, empty: {str(field): None}}, path
    label = rest.post("/labels", json={"kind": "lead", "name": "Warm"}).json()["id"]
    made = rest.post("/leads", json={"title": "Inlet", "labels": [label]})
    assert (made.status_code, [each["name"] for each in made.json()["labels"]]) == (201, ["Warm"])
    assert rest.patch(f"/leads/{made.json()['id']}", json={"labels": []}).json()["labels"] == []
    of_deal = rest.post("/labels", json={"kind": "deal", "name": "Hot"}).json()["id"]
    assert rest.post("/leads", json={"title": "No", "labels": [of_deal]}).status_code == 404
    assert [each["title"] for each in rest.get("/leads").json()["items"]] == ["Inlet"]  # nothing half done


def test_organizations_are_narrowed(rest: TestClient, aino: Actor) -> None:
    one, two = (rest.post("/organizations", json={"name": each}).json()["id"] for each in ("One", "Two"))
    rest.patch(f"/organizations/{two}", json={"owner_id": None})
    label = rest.post("/labels", json={"kind": "organization", "name": "Key"}).json()["id"]
    rest.patch(f"/organizations/{one}", json={"labels": [label]})

    def found(query: str) -> list[int]:
        return [each["id"] for each in rest.get(f"/organizations?{query}").json()["items"]]

    assert found("owner_id=0") == [two]
    assert found(f"owner_id={aino.user_id}") == [one]
    assert found(f"label_id={label}") == [one]
    assert rest.get("/organizations").json()["items"][0]["labels"] == [{"id": label, "name": "Key", "color": "gray"}]
