"""Smart Bcc on, on both databases, with a name server of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailcrm import config
from mailcrm.models import RoleAccess
from mailcrm.services import access
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_person, a_user
from tests.integration.smart_bcc.world import DOMAIN, World, publish
from tests.servers.names import NameServer


@pytest.fixture
def names() -> Iterator[NameServer]:
    """The name server, with nobody in it."""
    server = NameServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def world(db: str, names: NameServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Aino sells, a colleague has a deal that she may not see, crm.test signs its mail."""
    monkeypatch.setenv("MAILCRM_BCC_DOMAIN", DOMAIN)
    monkeypatch.setenv("MAILCRM_BCC_RESOLVER", f"127.0.0.1:{names.port}")
    config.reset()
    for domain in ("crm.test", "evil.test", "home.test"):
        publish(names, domain)
    admin = a_user("Root", admin=True, email="root@crm.test")
    aino = a_user("Aino", email="aino@crm.test")
    other = a_user("Olli", email="olli@crm.test")
    with transaction() as session:
        session.add(RoleAccess(role="member", kind="deal", scope="own"))
    with reading() as session:
        aino, other = access.actor_for(session, aino.user_id), access.actor_for(session, other.user_id)
    mika = a_person(aino, "Mika Aaltonen", "mika@saimaa.example")
    deal = a_deal(aino, "Saimaa phase 2", person=mika)
    theirs = a_deal(other, "Secret deal")
    yield World(names, aino, admin, deal.card.id, theirs.card.id)
    config.reset()
