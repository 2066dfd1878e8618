"""REST over blocked addresses (M19), teams, whose rows a role sees, and who reads a conversation (M24-M26)."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app
from mailcrm.services.access import Actor
from mailcrm.services.auth import teams, users
from mailcrm.services.crm.linking import link
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def client(actor: Actor) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {users.create_token(actor)}"})


def test_addresses_are_previewed_blocked_changed_and_unblocked() -> None:
    """M19, M20, settled question 3."""
    aino = a_user("Aino")
    box = a_mailbox(aino)
    first = a_message(box, sender="spam@blocked.test")
    second = a_message(box, sender="other@blocked.test")
    rest = client(aino)
    asked = rest.post("/blocked-addresses/preview", json={"pattern": "spam@blocked.test"}).json()
    assert (asked["hides"], asked["blocked"], asked["shown"]) == (1, False, "spam@blocked.test")

    def listed() -> set[int]:
        return {each["id"] for each in rest.get("/threads?folder=all").json()["items"]}

    made = rest.post("/blocked-addresses", json={"pattern": "spam@blocked.test"})
    assert made.status_code == 201
    row = made.json()
    assert (row["scope"], row["hides"]) == ("address", 1)
    assert listed() == {second.thread_id}
    assert rest.get(f"/messages/{first.id}").status_code == 404
    wider = rest.patch(f"/blocked-addresses/{row['id']}", json={"scope": "domain", "pattern": "@blocked.test"}).json()
    assert (wider["shown"], wider["hides"]) == ("@blocked.test", 2)
    assert [each["id"] for each in rest.get("/blocked-addresses").json()["items"]] == [wider["id"]]
    assert listed() == set()
    stranger = client(a_user("Root", admin=True))
    assert stranger.get("/blocked-addresses").json()["items"] == []
    for answer in (
        stranger.get(f"/blocked-addresses/{wider['id']}"),
        stranger.patch(f"/blocked-addresses/{wider['id']}", json={"scope": "subdomains"}),
        stranger.delete(f"/blocked-addresses/{wider['id']}"),
    ):
        assert answer.status_code == 404
    assert rest.delete(f"/blocked-addresses/{wider['id']}").status_code == 204
    assert listed() == {first.thread_id, second.thread_id}
    refused = rest.post("/blocked-addresses", json={"scope": "domain", "pattern": "%"})
    assert (refused.status_code, refused.json()["code"]) == (422, "block.domain")


def test_only_administrators_change_teams_and_rules() -> None:
    """Everybody may read them."""
    root, aino, noor = a_user("Root", admin=True), a_user("Aino"), a_user("Noor")
    admin, member = client(root), client(aino)
    made = admin.post("/teams", json={"name": " North ", "members": [aino.user_id, noor.user_id]}).json()
    assert (made["name"], made["members"]) == ("North", [aino.user_id, noor.user_id])
    assert member.get("/teams").json()["items"] == [made]
    assert member.get(f"/teams/{made['id']}").json() == made
    for answer in (
        member.post("/teams", json={"name": "Mine"}),
        member.patch(f"/teams/{made['id']}", json={"name": "Mine"}),
        member.delete(f"/teams/{made['id']}"),
        member.put("/role-access", json={"role": "member", "kind": "deal", "scope": "everyone"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "auth.admin_only")
    changed = admin.patch(f"/teams/{made['id']}", json={"name": "South", "members": [noor.user_id]}).json()
    assert (changed["name"], changed["members"]) == ("South", [noor.user_id])
    assert admin.post("/teams", json={"name": "south"}).json()["code"] == "team.taken"
    assert admin.patch(f"/teams/{made['id']}", json={"members": [987_654]}).status_code == 404
    assert admin.get("/teams").json()["items"] == [changed], "nothing half done"
    assert admin.delete(f"/teams/{made['id']}").status_code == 204
    assert admin.delete(f"/teams/{made['id']}").status_code == 404
    rules = admin.put("/role-access", json={"role": "member", "kind": "deal", "scope": "own"}).json()["items"]
    assert len(rules) == 8
    assert [(each["role"], each["kind"]) for each in rules if each["scope"] != "everyone"] == [("member", "deal")]
    assert member.get("/role-access").json()["items"] == rules


def test_a_rule_counts_from_the_next_request_on() -> None:
    """Somebody else's deal is absent, in its row, its list and its timeline."""
    root, aino, noor = a_user("Root", admin=True), a_user("Aino"), a_user("Noor")
    deal = a_deal(aino).card.id
    rest = client(noor)
    assert [each["id"] for each in rest.get("/deals").json()["items"]] == [deal]
    teams.set_scope(root, "member", "deal", "own")
    assert rest.get("/deals").json()["items"] == []
    for path in (f"/deals/{deal}", f"/deals/{deal}/timeline", f"/threads?deal_id={deal}"):
        assert rest.get(path).status_code == 404
    teams.set_scope(root, "member", "deal", "team")
    assert rest.get(f"/deals/{deal}").status_code == 404
    teams.create(root, "North", (aino.user_id, noor.user_id))
    assert rest.get(f"/deals/{deal}").status_code == 200


def test_who_reads_a_conversation_is_named() -> None:
    """M24-M26: now, and once it is shared or linked; by the predicate that decides it."""
    aino, noor, root = a_user("Aino"), a_user("Noor"), a_user("Root", admin=True)
    box = a_mailbox(aino)
    message = a_message(box)
    rest, theirs = client(aino), client(noor)
    path, of_message = f"/threads/{message.thread_id}/readers", f"/messages/{message.id}/readers"

    def names(found: list[dict[str, object]]) -> list[object]:
        return [each["name"] for each in found]

    alone = rest.get(path).json()
    assert (names(alone["readers"]), alone["would"], alone["linked"]) == (["Aino"], [], False)
    a_person(aino, "Mika", "mika@saimaa.test")
    link.apply_rules()
    private = rest.get(path).json()
    assert (names(private["readers"]), names(private["would"])) == (["Aino"], ["Noor", "Root"])
    assert theirs.get(path).status_code == 404
    teams.set_scope(root, "admin", "person", "own")
    assert names(rest.get(path).json()["would"]) == ["Noor"]
    assert rest.patch(f"/messages/{message.id}", json={"visibility": "shared"}).json()["visibility"] == "shared"
    for found in (rest.get(path).json(), rest.get(of_message).json(), theirs.get(path).json()):
        assert (names(found["readers"]), found["would"], found["visibility"]) == (["Aino", "Noor"], [], "shared")
    assert client(root).get(path).status_code == 404
