"""Private mail leaves no trace for anybody else (security.md threat 12, M25): canaries, and a twin without it.

The same workspace is made twice, once with Aino's private mail and once without. What a colleague and an administrator
are shown must hold no canary, and must be equal in the twin: counts, order, pages, suggestions.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app as rest_app
from mailcrm.errors import MailcrmError
from mailcrm.models import Message, MessageLocation, TrackedMessage
from mailcrm.services import notifications
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import deals, leads, organizations, people, pipelines, timeline
from mailcrm.services.crm.linking import link, panel
from mailcrm.services.db import transaction
from mailcrm.services.mail import health, mailboxes, quarantine, threads
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.tracking import report
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user
from tests.conftest import _settings
from tests.integration.security.conftest import Person, Served
from tests.integration.security.test_handlers_hostile import NETWORK, PARAMETERS

CANARY = "CANARYPRIVATE"
ROLES = ("bob", "boss")  # a colleague, and an administrator
START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def build_world(private: bool, prefix: str = "") -> dict[str, Any]:
    """Aino, Bob and the administrator; shared mail for all to see, private mail when wanted."""
    aino, bob, boss = a_user(f"{prefix}Aino"), a_user(f"{prefix}Bob"), a_user(f"{prefix}Boss", admin=True)
    box = a_mailbox(aino, f"{prefix}aino@crm.test")
    a_mailbox(bob, f"{prefix}bob@crm.test")
    a_mailbox(boss, f"{prefix}boss@crm.test")
    mika = a_person(aino, f"{prefix}Mika", f"{prefix}mika@saimaa.test", organization=f"{prefix}Saimaa")
    deal = a_deal(aino, f"{prefix}Phase 2", person=mika)
    lead = leads.create_lead(aino, title=f"{prefix}Lead")
    sender = f"Mika <{prefix}mika@saimaa.test>"
    shared = a_message(
        box, sender=sender, subject="Open offer", text="everybody may read this", visibility="shared", at=START,
        rfc_message_id=f"{prefix}open@t", attachment="open.pdf",
    )  # fmt: skip
    link.link_thread(aino, shared.thread_id, deal_id=deal.card.id)
    link.apply_rules()  # so that ids are equal in the twin
    secrets: list[int] = []
    if private:
        common: dict[str, Any] = {"visibility": "private", "attachment": f"{CANARY}.pdf"}
        later = START + timedelta(days=1)
        for number, thread_id in enumerate((shared.thread_id, None, None)):
            name = f"{CANARY} {number} <{prefix}mika@saimaa.test>" if number < 2 else f"X <{prefix}{CANARY}@else.test>"
            made = a_message(
                box, sender=name, cc=f"{CANARY} <cc@{CANARY.lower()}.test>", subject=f"{CANARY} subject {number}",
                text=f"{CANARY} body {number}", at=later + timedelta(hours=number), thread_id=thread_id, **common,
            )  # fmt: skip
            secrets.append(made.id or 0)
            if thread_id is None:  # a link of the shared thread would be seen, and rightly
                link.link_thread(aino, made.thread_id, deal_id=deal.card.id)
                link.link_thread(aino, made.thread_id, person_id=mika.card.id)
        with transaction() as session:
            out = session.exec(select(Message).where(Message.id == secrets[1])).one()
            out.direction = "out"
            session.add(
                TrackedMessage(
                    user_id=aino.user_id,
                    message_id=out.id,
                    nonce=f"{prefix}nonce",
                    opens_on=True,
                    clicks_on=True,
                    sent_at=later,
                    opens=3,
                    first_opened_at=later,
                    last_opened_at=later,
                    clicks=2,
                    last_clicked_at=later,
                )
            )
        draft.new_draft(aino, mailbox_id=box, to=f"{CANARY}@x.test")
    link.apply_rules()
    return {
        "aino": aino, "bob": bob, "boss": boss, "deal": deal.card.id, "person": mika.card.id, "lead": lead.id,
        "organization": mika.card.organization_id, "shared": shared.id, "thread": shared.thread_id, "secrets": secrets,
    }  # fmt: skip


def shown(world: dict[str, Any], viewer: Actor) -> dict[str, str]:
    """Everything that the verbs of lists, searches, timelines, panels, counts and suggestions tell a viewer."""
    calls: dict[str, Callable[[], Any]] = {
        "counts": lambda: threads.counts(viewer),
        "thread": lambda: threads.open_thread(viewer, world["thread"]),
        "panel": lambda: panel.panel(viewer, world["thread"]),
        "deal": lambda: deals.get_deal(viewer, world["deal"]),
        "board": lambda: deals.board(viewer),
        "deals": lambda: deals.list_deals(viewer),
        "find deals": lambda: panel.search_deals(viewer, CANARY),
        "person": lambda: people.get_person(viewer, world["person"]),
        "people": lambda: people.list_people(viewer),
        "find people": lambda: people.list_people(viewer, query=CANARY),
        "organizations": lambda: organizations.list_organizations(viewer),
        "organization": lambda: organizations.get_organization(viewer, world["organization"]),
        "leads": lambda: leads.list_leads(viewer),
        "pipelines": lambda: pipelines.list_pipelines(viewer),
        "deal timeline": lambda: timeline.deal_timeline(viewer, world["deal"]),
        "deal timeline, one": lambda: timeline.deal_timeline(viewer, world["deal"], limit=1),
        "person timeline": lambda: timeline.person_timeline(viewer, world["person"]),
        "organization timeline": lambda: timeline.organization_timeline(viewer, world["organization"]),
        "lead timeline": lambda: timeline.lead_timeline(viewer, world["lead"]),
        "bell": lambda: notifications.list_notifications(viewer),
        "unread": lambda: notifications.unread_count(viewer),
        "suggestions": lambda: [draft.complete(viewer, prefix) for prefix in ("c", CANARY, "m", "x")],
        "find address": lambda: people.find_by_address(viewer, f"cc@{CANARY.lower()}.test"),
        "drafts": lambda: queue.list_drafts(viewer),
        "outbox": lambda: queue.list_outbox(viewer),
        "mailboxes": lambda: mailboxes.list_mailboxes(viewer),
        "sync": lambda: health.sync_status(viewer),
        "quarantine": lambda: quarantine.list_quarantine(viewer),
        "marks": lambda: report.marks(viewer, world["shared"]),
        "reply": lambda: draft.new_draft(viewer, reply_to_message_id=world["shared"], mode="reply_all"),
        "forward": lambda: draft.new_draft(viewer, reply_to_message_id=world["shared"], mode="forward"),
    }
    extras: list[dict[str, Any]] = [
        {}, {"query": CANARY}, {"tracked": True}, {"deal_id": world["deal"]}, {"person_id": world["person"]},
    ]  # fmt: skip
    for folder in ("inbox", "sent", "archive", "all"):
        for extra in extras:
            calls[f"threads {folder} {extra.keys()}"] = lambda folder=folder, extra=extra: threads.list_threads(
                viewer, folder=folder, **extra
            )
    return {name: _said(call) for name, call in calls.items()}


def _said(call: Callable[[], Any]) -> str:
    try:
        found = call()
    except MailcrmError as error:
        return f"{type(error).__name__} {error.code}"
    return _still(
        json.dumps(found, default=lambda each: asdict(each) if hasattr(each, "__dataclass_fields__") else str(each))
    )


def _still(text: str) -> str:
    """Without the moments of this very run: rows made now, and numbers that drafts and rows got."""
    text = re.sub(r"20\d\d-\d\d-\d\d[T ][\d:.+Z]+", lambda at: at[0] if at[0].startswith("2026-03-0") else "NOW", text)
    text = re.sub(r'("next_cursor": ?)"[^"]+"', r"\1SET", text)  # holds such a moment
    text = re.sub(r'"id": \d+, "mailbox', '"mailbox', text)  # a draft's own: drafts of all users share one sequence
    return re.sub(r"(aino|bob|boss)\d+@", r"\1@", text)


@contextmanager
def database(folder: Path, template: Path) -> Iterator[None]:
    import shutil

    folder.mkdir()
    shutil.copy(template, folder / "mailcrm.sqlite3")
    with _settings(folder, f"sqlite:///{folder / 'mailcrm.sqlite3'}"):
        yield


def test_verbs_tell_nothing_and_the_same(migrated_sqlite: Path, tmp_path: Path) -> None:
    """Canary bytes seen: 0; every answer equal to the twin's. A colleague, and an administrator."""
    answers = []
    for private in (True, False):
        with database(tmp_path / str(private), migrated_sqlite):
            world = build_world(private)
            answers.append(
                {f"{role}: {name}": text for role in ROLES for name, text in shown(world, world[role]).items()}
            )
            if private:
                seen = shown(world, world["aino"])
                assert sum(CANARY in text for text in seen.values()) >= 12, "the control: their owner sees them"
                verbs = (threads.open_thread, panel.panel, draft.get, report.marks, threads.thread_of_message)
                for viewer, verb, row_id in itertools.product((world["bob"], world["boss"]), verbs, world["secrets"]):
                    assert CANARY not in _said(lambda verb=verb, row_id=row_id, viewer=viewer: verb(viewer, row_id))
    for name, text in answers[0].items():
        assert CANARY.lower() not in text.lower(), name
        assert text == answers[1][name], name


REST = """/threads /threads?folder=sent /threads?folder=all /threads?folder=all&q=CANARYPRIVATE /threads/{thread}
/threads/{thread}/messages /messages/{shared}?include=body,headers /messages/{shared}/tracking /persons
/persons?q=CANARY /persons/{person} /organizations /organizations/{organization} /deals /deals/{deal} /leads
/leads/{lead} /pipelines /deals/{deal}/timeline /persons/{person}/timeline /organizations/{organization}/timeline
/leads/{lead}/timeline /notifications /mailboxes /me""".split()


def test_rest_tells_nothing_and_the_same(migrated_sqlite: Path, tmp_path: Path) -> None:
    """The same over HTTP, where views are turned into JSON."""
    answers: list[dict[str, str]] = []
    for private in (True, False):
        with database(tmp_path / str(private), migrated_sqlite):
            world = build_world(private)
            answers.append({})
            for role in ROLES:
                token = users.create_token(world[role])
                with TestClient(rest_app, headers={"Authorization": f"Bearer {token}"}) as client:
                    got = {path: client.get(path.format(**world)) for path in REST}
                assert all(answer.status_code == 200 for answer in got.values()), got
                answers[-1] |= {f"{role}: {path}": _still(answer.text) for path, answer in got.items()}
    for path, text in answers[0].items():
        assert CANARY.lower() not in text.lower(), path
        assert text == answers[1][path], path


@pytest.mark.parametrize("admin", [False, True])
def test_sockets_tell_nothing(served: Served, admin: bool) -> None:
    """Every page opened and every handler called, with the ids of the rows around the private mail: 0 canaries in frames."""
    with served.inside():
        world = build_world(private=True, prefix=f"w{int(admin)}")
        viewer: Actor = world["boss" if admin else "bob"]
        secret = served.session(viewer)
    person = Person(viewer, "", secret, "")
    rows = {
        "thread_id": world["thread"], "message_id": world["shared"], "deal_id": world["deal"],
        "person_id": world["person"], "mailbox_id": 1, "draft_id": 1, "outbox_id": 1, "link_id": 1,
    }  # fmt: skip
    pages = ["/inbox", f"/thread/{world['thread']}", "/deals", "/people"]
    pages += [f"/deal/{world['deal']}", f"/person/{world['person']}"]
    destructive = ("delete", "remove", "disable", "archive", "discard", "lose", "win")
    for page in pages:
        tab = served.tab(person, path=page)
        for name, names in PARAMETERS.items():
            if name in NETWORK or name.rpartition(".")[2] in destructive:
                continue
            payload = {each: rows.get(each, CANARY if each in ("text", "value") else True) for each in names}
            if "form" in names:
                payload = {"form": {"query": CANARY, "name": "n", "title": "t"}}
            tab.send(name, payload, path=page, q=CANARY if page == "/inbox" else "")
        tab.settle()
        # What was typed here comes back; nothing else may.
        left = re.sub(rf'"(query|title|to|draft_to|q|asPath)[^"]*":"[^"]*{CANARY}[^"]*"', "", tab.text())
        left = re.sub(rf"[?&]q=[^\"]*{CANARY}|“?{CANARY}”? (isn’t|doesn’t)|{CANARY}(?=\")", "", left)
        assert f"{CANARY} " not in left, f"{page}: {left[max(0, left.find(CANARY + ' ') - 300) :][:600]}"
        assert f"{CANARY}." not in left
        tab.close()


def test_sharing_and_taking_back_holds_at_once(migrated_sqlite: Path, tmp_path: Path) -> None:
    """Toggle shared to private: gone for others with the next read, on every surface; the default changes no stored mail."""
    with database(tmp_path / "d", migrated_sqlite):
        world = build_world(private=True)
        aino, bob = world["aino"], world["bob"]
        hidden = world["secrets"][1]
        thread_id = threads.thread_of_message(aino, hidden)
        mailboxes.change(aino, mailboxes.list_mailboxes(aino)[0].id, default_visibility="shared")
        assert CANARY not in "".join(shown(world, bob).values())
        threads.set_visibility(aino, thread_id, "shared")
        assert CANARY in shown(world, bob)["deal timeline"]
        threads.set_visibility(aino, thread_id, "private")
        assert CANARY not in "".join(shown(world, bob).values())
        with transaction() as session:
            assert session.exec(select(MessageLocation).where(MessageLocation.message_id == hidden)).first()
