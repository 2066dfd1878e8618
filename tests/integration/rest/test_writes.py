"""REST and command line over what could not be done in the mailbox yet (M15, M16): list, try again, let go."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from mailcrm.cli import mailboxes as commands
from mailcrm.endpoints.api import app
from mailcrm.models import ServerAction
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.db import reading, transaction
from tests.builders import a_mailbox, a_message, a_user


def client(actor: Actor) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {users.create_token(actor)}"})


@pytest.fixture
def aino(db: str) -> Actor:
    return a_user(email="aino@writes.test")


def an_action(mailbox_id: int, **columns: object) -> int:
    message = a_message(mailbox_id, subject="Survey")
    with transaction() as session:
        row = ServerAction(mailbox_id=mailbox_id, message_id=message.id or 0, kind="archive", state="failed")
        row.error_code, row.tries = "writeback.no_archive", 5
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        return row.id or 0


def state_of(action_id: int) -> str:
    with reading() as session:
        return session.get_one(ServerAction, action_id).state


def test_what_the_mailbox_did_not_take_is_listed_tried_again_and_let_go(aino: Actor) -> None:
    """Failed first, each with its sentence; the id counts only with its own mailbox."""
    box, other = a_mailbox(aino, address="a@writes.test"), a_mailbox(aino, address="b@writes.test")
    waits = an_action(box, state="queued", error_code="")
    first, second = an_action(box), an_action(box)
    rest = client(aino)
    items = rest.get(f"/mailboxes/{box}/writes").json()["items"]
    assert [(each["id"], each["state"], each["subject"]) for each in items] == [
        (first, "failed", "Survey"),
        (second, "failed", "Survey"),
        (waits, "queued", "Survey"),
    ]
    assert "archive folder" in items[0]["sentence"]
    assert rest.post(f"/mailboxes/{other}/writes/{first}/retry").status_code == 404
    assert rest.delete(f"/mailboxes/{other}/writes/{first}").status_code == 404
    assert state_of(first) == "failed"
    assert rest.post(f"/mailboxes/{box}/writes/{first}/retry").status_code == 204
    assert rest.delete(f"/mailboxes/{box}/writes/{second}").status_code == 204
    assert (state_of(first), state_of(second)) == ("queued", "obsolete")


def test_a_colleague_and_an_administrator_see_none_of_it(aino: Actor) -> None:
    """M25."""
    box = a_mailbox(aino)
    action = an_action(box)
    stranger = client(a_user(admin=True))
    assert stranger.get(f"/mailboxes/{box}/writes").status_code == 404
    for answer in (
        stranger.post(f"/mailboxes/{box}/writes/{action}/retry"),
        stranger.delete(f"/mailboxes/{box}/writes/{action}"),
    ):
        assert answer.status_code == 404
    assert state_of(action) == "failed"


def test_the_command_line_lists_and_settles(aino: Actor) -> None:
    """`mailbox writes`, with --retry and --drop."""
    box = a_mailbox(aino, address="a@writes.test")
    first, second = an_action(box), an_action(box)
    said = CliRunner().invoke(commands.app, ["writes", "a@writes.test", "--json"])
    assert [each["id"] for each in json.loads(said.stdout)] == [first, second]
    said = CliRunner().invoke(
        commands.app, ["writes", "a@writes.test", "--retry", str(first), "--drop", str(second), "--json"]
    )
    assert [(each["id"], each["state"]) for each in json.loads(said.stdout)] == [(first, "queued")]
    assert state_of(second) == "obsolete"
