"""REST of tracking: raw events, a person's data, webhooks; each as its user sees it (contract.md)."""

from __future__ import annotations

from mailcrm.models import TrackedMessage, TrackingEvent
from mailcrm.services.db import transaction
from tests.builders import a_mailbox, a_message, a_person, a_user
from tests.integration.rest.test_rest import Client, client, problem  # noqa: F401  the fixture

HOOK = {"url": "https://hook.test/x", "events": ["message.opened"]}


def test_webhooks_live_and_die(client: Client) -> None:  # noqa: F811
    """Made with a secret that is never shown again, listed, changed, deleted; unknown fields are refused."""
    aino, bo = client(a_user("Aino")), client(a_user("Bo"))
    made = aino.post("/webhooks", json=HOOK)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    one = f"/webhooks/{made.json()['id']}"
    assert "secret" not in aino.get(one).text
    assert [each["url"] for each in aino.get("/webhooks").json()["items"]] == [HOOK["url"]]
    changed = aino.patch(one, json={"events": ["message.clicked", "message.replied"], "active": False}).json()
    assert (changed["events"], changed["active"]) == (["message.clicked", "message.replied"], False)
    assert aino.post(f"{one}/secret").json()["secret"] != made.json()["secret"]
    assert aino.get(f"{one}/deliveries").json() == {"items": [], "next_cursor": None}
    for method, path, body in (
        ("GET", one, None),
        ("PATCH", one, {"active": True}),
        ("DELETE", one, None),
        ("POST", f"{one}/secret", None),
        ("POST", f"{one}/test", None),
        ("GET", f"{one}/deliveries", None),
        ("POST", f"{one}/deliveries/1/retry", None),
    ):
        problem(bo.request(method, path, json=body), 404, "not_found")
    assert aino.delete(one).status_code == 204
    problem(aino.get(one), 404, "not_found")


def test_webhooks_that_are_refused(client: Client) -> None:  # noqa: F811
    aino = client(a_user("Aino"))
    problem(aino.post("/webhooks", json=HOOK | {"url": "http://hook.test/"}), 422, "webhook.https")
    problem(aino.post("/webhooks", json=HOOK | {"url": "https://127.0.0.1/"}), 422, "webhook.private")
    problem(aino.post("/webhooks", json=HOOK | {"events": []}), 422, "input.invalid")
    problem(aino.post("/webhooks", json=HOOK | {"events": ["message.read"]}), 422, "input.invalid")
    problem(aino.post("/webhooks", json=HOOK | {"secret": "mine"}), 422, "input.invalid")


def test_raw_events_and_a_persons_data(client: Client) -> None:  # noqa: F811
    """B03: class, reasons, rules version; and of a person all of it, until it is erased."""
    aino = a_user("Aino")
    box = a_mailbox(aino, "aino@crm.test")
    message = a_message(box, sender="aino@crm.test", to="mika@saimaa.test")
    mika = a_person(aino, "Mika", "mika@saimaa.test").card.id
    with transaction() as session:
        tracked = TrackedMessage(
            user_id=aino.user_id, message_id=message.id, nonce="n", opens_on=True, clicks_on=True, opens=2,
            recipient="mika@saimaa.test",
        )  # fmt: skip
        session.add(tracked)
        session.flush()
        for kind in ("person", "proxy", "scanner"):
            event = TrackingEvent(tracked_id=tracked.id or 0, action="open", kind=kind, reasons={"codes": [kind]})
            session.add(event)
    mine = client(aino)
    first = mine.get(f"/messages/{message.id}/tracking?limit=2").json()
    rest = mine.get(f"/messages/{message.id}/tracking?limit=2&cursor={first['next_cursor']}").json()
    found = [*first["events"], *rest["events"]]
    assert {each["kind"] for each in found} == {"person", "proxy", "scanner"}
    assert {each["recipient"] for each in found} == {"mika@saimaa.test"}
    assert all(each["rules_version"] and each["reasons"] for each in found)
    assert (first["opens_counted"], first["opens_all"], rest["next_cursor"]) == (2, 3, None)
    exported = mine.get(f"/persons/{mika}/tracking").json()
    assert len(exported["emails"][0]["events"]) == 3
    other = client(a_user("Bo"))
    assert other.get(f"/persons/{mika}/tracking").json()["emails"] == []
    assert mine.delete(f"/persons/{mika}/tracking").json() == {"erased": 3}
    assert mine.get(f"/messages/{message.id}/tracking").json()["events"] == []
    problem(mine.get("/persons/99999/tracking"), 404, "not_found")
