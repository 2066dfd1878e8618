"""Ann, her colleague Ben and Root, who administrates, each in a browser of their own, with mail on a real Dovecot.

Ann's conversations are linked, shared, taken apart, made private, blocked, given to one deal of several and moved to
another person by a merge. After each step everybody looks: at the list, a search, the bell, and the history of the deal
(issue 4, "It is done when"; M19, M24-M30, B06). Each place also holds an email or a note that its viewer may see, and is
read once that stands there, so that "nothing" is an answer and not an empty page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlmodel import select

from mailcrm.models import Message
from mailcrm.services import notifications
from mailcrm.services.auth import users
from mailcrm.services.crm import notes, people
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_person
from tests.conftest import _settings
from tests.e2e.conftest import App, add_mailbox, snap
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

PASSWORD, BOX_PASSWORD = "correct horse battery", "mailbox secret 9"
NAMES = ("Ann Hall", "Ben Ito", "Root Kivi")
MIKA, TWIN, LENA = "mika@saimaa.test", "m.aaltonen@saimaa.test", "lena@nordlicht.test"
CERTIFICATES, HARBOUR, PROPOSAL = "Calibration certificates", "Harbour survey", "Proposal for the Sound"
WORD = "calibration"  # in Ann's conversation, and in an email of everybody's own
SHARE_MS = 30_000  # sharing waits eight seconds for its undo


def address(name: str) -> str:
    return f"{name.split()[0].lower()}@threeseats.test"


@dataclass
class Seat:
    """One person at their browser: one tab to act in, one to look around with."""

    name: str
    tab: Page
    eyes: Page
    app: App
    ids: dict[str, int] = field(default_factory=dict)

    def looks(self, *, mail: bool, history: int, told: bool) -> None:
        """Look at list, bell and search for Ann's conversation, and count its emails in the deal's history."""
        page = self.eyes
        for path in ("/inbox", f"/inbox?q={WORD}"):
            page.goto(self.app.url + path)
            expect(rows(page, f"Own {WORD} of {self.name}")).to_be_visible()
            expect(rows(page, CERTIFICATES)).to_have_count(1 if mail else 0)
        page.get_by_test_id("notification-bell").click()
        lines = page.get_by_test_id("notification-item")
        expect(lines.filter(has_text=f"Own {WORD} of {self.name}")).to_be_visible()
        expect(lines.filter(has_text=CERTIFICATES)).to_have_count(1 if told else 0)
        self.reads("deal", "Saimaa phase 2", CERTIFICATES, history)

    def reads(self, kind: str, name: str, subject: str, count: int) -> None:
        """Count the emails of this subject in the history of a person or a deal, beside Ann's note."""
        self.eyes.goto(f"{self.app.url}/{kind}/{self.ids[name]}")
        history = self.eyes.get_by_test_id("deal-timeline")
        expect(history.get_by_test_id("note").first).to_be_visible()
        expect(history.get_by_test_id("timeline-open").filter(has_text=subject)).to_have_count(count)


def rows(page: Page, text: str) -> Locator:
    return page.get_by_test_id("thread-row").filter(has_text=text)


@contextmanager
def inside(app: App) -> Iterator[None]:
    data = app.folder / "data"
    with _settings(data, f"sqlite:///{data / 'mailcrm.sqlite3'}"):
        yield


def letter(sender: str, to: str, subject: str, number: int, **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = datetime.now(UTC) - timedelta(minutes=30 - number)
    message["Message-ID"] = f"<three-{number}@nordlicht.test>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(f"Dear Ann,\n\nabout {subject.lower()}: see below. Number {number}.\n\nKind regards\n")
    return message.as_bytes()


@dataclass
class World:
    app: App
    ids: dict[str, int]


@pytest.fixture(scope="module")
def world(app: App, dovecot: DovecotServer) -> Iterator[World]:
    """Two colleagues and an administrator with their mailboxes; Mika and Lena, of whom Lena has two open deals."""
    sink = SmtpSink()
    sink.start()
    ann = address("Ann")
    letters = [  # the first is the oldest
        (ann, letter(f"Mika Aaltonen <{MIKA}>", ann, CERTIFICATES, 1)),
        (ann, letter(f"Mika Aaltonen <{MIKA}>", ann, f"Re: {CERTIFICATES}", 2, In_Reply_To="<three-1@nordlicht.test>")),
        (ann, letter(f"M. Aaltonen <{TWIN}>", ann, HARBOUR, 3)),
        (ann, letter(f"Lena Vogt <{LENA}>", ann, PROPOSAL, 4)),
    ]
    letters += [
        (address(name), letter("Tide Weekly <news@tides.test>", address(name), f"Own {WORD} of {name}", 10 + number))
        for number, name in enumerate(NAMES)
    ]
    with inside(app):
        for name in NAMES:
            users.create(name=name, email=address(name), password=PASSWORD, admin=name.startswith("Root"))
            sink.add_user(address(name), BOX_PASSWORD)
            dovecot.add_user(address(name), BOX_PASSWORD)
        for number, (to, raw) in enumerate(letters):
            dovecot.deliver(to, raw, when=datetime.now(UTC) - timedelta(minutes=30 - number))
        ids = crm(ann)
    for name in NAMES:
        add_mailbox(app, address(name), dovecot.spec(address(name)), sink.spec(address(name)), BOX_PASSWORD)
    yield World(app, ids)
    sink.stop()


def crm(owner: str) -> dict[str, int]:
    """Ann's persons and deals, a note with each; their ids by name."""
    ann = users.by_email(owner)
    mika, lena = a_person(ann, "Mika Aaltonen", MIKA), a_person(ann, "Lena Vogt", LENA)
    found = {"Mika Aaltonen": mika.card.id, "M. Aaltonen": a_person(ann, "M. Aaltonen", TWIN).card.id}
    people.change_person(ann, mika.card.id, phones=["+358 40 123 4567"])
    people.change_person(ann, found["M. Aaltonen"], phones=["00358 401234567"])
    for title, who in (("Saimaa phase 2", mika), ("Sound crossing", lena), ("Sound upkeep", lena)):
        found[title] = a_deal(ann, title, person=who).card.id
        notes.create_note(ann, "Kick-off agreed.", deal_id=found[title])
    notes.create_note(ann, "Met at the fair.", person_id=found["Mika Aaltonen"])
    return found


@pytest.fixture(scope="module")
def seats(world: World, chromium: Browser) -> Iterator[dict[str, Seat]]:
    """Everybody is signed in, their mail is there, and the bell told everybody of the same things."""
    contexts, problems, found = [], [], {}
    for name in NAMES:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        contexts.append(context)
        tab, eyes = context.new_page(), context.new_page()
        for page in (tab, eyes):
            page.on("pageerror", lambda error: problems.append(str(error)))
        tab.goto(f"{world.app.url}/login")
        tab.get_by_test_id("login-email").fill(address(name))
        tab.get_by_test_id("login-password").fill(PASSWORD)
        tab.get_by_test_id("login-submit").click()
        tab.wait_for_url(re.compile("/inbox"))
        expect(rows(tab, f"Own {WORD} of {name}")).to_be_visible(timeout=90_000)
        found[name.split()[0]] = Seat(name, tab, eyes, world.app, world.ids)
    ann = found["Ann"].tab
    for subject in (CERTIFICATES, HARBOUR, PROPOSAL):
        expect(rows(ann, subject)).to_be_visible(timeout=90_000)
    expect(rows(ann, CERTIFICATES).locator(".chip")).to_contain_text("Saimaa phase 2", timeout=60_000)
    with inside(world.app):
        tell_everybody()
    yield found
    for context in contexts:
        context.close()
    assert not problems, problems


def tell_everybody() -> None:
    """Put a line about Ann's first email into every bell, as if all three had written it, and one about an own one."""
    with reading() as session:
        found = {row.subject: (row.id, row.thread_id) for row in session.exec(select(Message)).all()}
    with transaction() as session:
        for name in NAMES:
            for message_id, thread_id in (found[CERTIFICATES], found[f"Own {WORD} of {name}"]):
                user = users.by_email(address(name)).user_id
                notifications.notify(session, user, "open", message_id=message_id, thread_id=thread_id)


@pytest.fixture(scope="module")
def ann(seats: dict[str, Seat]) -> Seat:
    return seats["Ann"]


@pytest.fixture(scope="module")
def others(seats: dict[str, Seat]) -> tuple[Seat, Seat]:
    return seats["Ben"], seats["Root"]


def opened(ann: Seat, subject: str) -> Page:
    """Ann's tab with this conversation."""
    ann.tab.goto(f"{ann.app.url}/inbox")
    rows(ann.tab, subject).click()
    expect(ann.tab.locator("#conversation .subject")).to_contain_text(subject)
    expect(ann.tab.frame_locator('[data-testid="message-frame"]').last.locator("body")).to_contain_text("Dear Ann")
    return ann.tab


def toggled(page: Page, visibility: str) -> None:
    """Share the conversation that is open, or make it private, and wait until it holds."""
    toggle = page.get_by_test_id("visibility-toggle")
    toggle.click()
    expect(toggle).to_have_attribute("data-visibility", visibility, timeout=SHARE_MS)
    expect(toggle).to_have_attribute("data-waiting", "false")


def unlinked(page: Page, target: str) -> None:
    """Take one link of the open conversation off, where it says why it is there (B06)."""
    page.locator("#conversation").get_by_test_id("why-linked").click()
    line = page.locator(".why-line").filter(has_text=target)
    line.get_by_test_id("why-unlink").click()
    expect(line).to_have_count(0)
    page.keyboard.press("Escape")


def test_a_link_made_by_the_rules_shows_nothing_to_others(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M25, M27, M28: linked to the person and the deal, and private: nobody else, the administrator included."""
    ann.looks(mail=True, history=2, told=True)
    for other in others:
        other.looks(mail=False, history=0, told=False)
    snap(opened(ann, CERTIFICATES), "three-1-inbox")


def test_shared_it_stands_where_it_is_linked(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M24: in the deal's history and in no list of theirs."""
    toggled(opened(ann, CERTIFICATES), "shared")
    ann.looks(mail=True, history=2, told=True)
    for other in others:
        other.looks(mail=False, history=2, told=True)
    snap(others[0].eyes, "three-2-deal-of-ben")


def test_one_email_of_it_is_private(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M26: the last one alone."""
    page = opened(ann, CERTIFICATES)
    page.get_by_test_id("message-menu").last.click()
    page.get_by_test_id("message-visibility").click()
    expect(page.get_by_text("Only you can see this now").first).to_be_visible()
    ann.looks(mail=True, history=2, told=True)
    for other in others:
        other.looks(mail=False, history=1, told=True)


def test_unlinked_it_is_gone_from_where_it_was(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M30: off the deal it is still with the person; off both, shared means nothing. Linked again, it is back."""
    page = opened(ann, CERTIFICATES)
    unlinked(page, "Saimaa phase 2")
    for seat in (ann, *others):
        seat.looks(mail=seat is ann, history=0, told=True)
        seat.reads("person", "Mika Aaltonen", CERTIFICATES, 2 if seat is ann else 1)
    unlinked(page, "Mika Aaltonen")
    for seat in (ann, *others):
        seat.looks(mail=seat is ann, history=0, told=seat is ann)
        seat.reads("person", "Mika Aaltonen", CERTIFICATES, 0)
    page.get_by_test_id("link-deal").click()
    page.get_by_test_id("link-deal-search").fill("Saimaa")
    page.get_by_test_id("link-deal-option").filter(has_text="Saimaa phase 2").click()
    expect(page.get_by_test_id("linked-deal")).to_contain_text("Saimaa phase 2")
    for seat in (ann, *others):
        seat.looks(mail=seat is ann, history=2 if seat is ann else 1, told=True)


def test_blocked_it_is_nowhere_and_undo_brings_it_back(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M19: for Ann and for those whom she shared it with."""
    page = opened(ann, CERTIFICATES)
    page.get_by_test_id("message-menu").first.click()
    page.get_by_test_id("block-sender").click()
    expect(page.get_by_role("dialog")).to_contain_text("Would hide 2 emails")
    page.get_by_test_id("block-confirm").click()
    expect(rows(page, CERTIFICATES)).to_have_count(0)
    for seat in (ann, *others):
        seat.looks(mail=False, history=0, told=False)
    page.goto(f"{ann.app.url}/settings/email-sync")
    page.get_by_test_id("block-remove").click()
    expect(page.get_by_test_id("block-row")).to_have_count(0)
    for seat in (ann, *others):
        seat.looks(mail=seat is ann, history=2 if seat is ann else 1, told=True)


def test_private_again_it_is_nobody_elses(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M25: the link stands, and Ann alone sees it."""
    toggled(opened(ann, CERTIFICATES), "private")
    ann.looks(mail=True, history=2, told=True)
    for other in others:
        other.looks(mail=False, history=0, told=False)


def test_of_several_deals_only_the_chosen_one_shows_it(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """M29: neither at first; the one that Ann picks from the row's suggestion, then shared with those who see it."""
    for title in ("Sound crossing", "Sound upkeep"):
        ann.reads("deal", title, PROPOSAL, 0)
    page = ann.tab
    page.goto(f"{ann.app.url}/inbox")
    row = rows(page, PROPOSAL)
    expect(row.get_by_test_id("suggestion")).to_have_text("Which deal?")
    row.get_by_test_id("suggestion").click()
    page.locator(".crm-pane").get_by_test_id("link-deal-option").filter(has_text="Sound crossing").click()
    expect(row.locator(".chip")).to_contain_text("Sound crossing")
    toggled(page, "shared")
    snap(page, "three-3-several-deals")
    for seat in (ann, *others):
        seat.reads("deal", "Sound crossing", PROPOSAL, 1)
        seat.reads("deal", "Sound upkeep", PROPOSAL, 0)


def test_merged_persons_have_one_history(ann: Seat, others: tuple[Seat, Seat]) -> None:
    """The administrator merges two of Ann's persons: Ann sees both conversations at one, nobody else a private one."""
    page = others[1].tab
    page.goto(f"{ann.app.url}/person/{ann.ids['Mika Aaltonen']}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_test_id("person-merge").click()
    page.get_by_test_id("merge-candidate").filter(has_text="M. Aaltonen").click()
    expect(page.get_by_test_id("merge-preview")).to_contain_text(TWIN)
    page.get_by_test_id("merge-confirm").click()
    expect(page.get_by_text("M. Aaltonen is merged into Mika Aaltonen")).to_be_visible()
    ann.reads("person", "Mika Aaltonen", HARBOUR, 1)
    snap(ann.eyes, "three-4-person-of-ann")
    page.goto(f"{ann.app.url}/settings/trash")
    expect(page.get_by_test_id("trash-row")).to_contain_text("Merged into Mika Aaltonen")
    expect(page.get_by_test_id("trash-about")).to_contain_text("deleted for good after 30 days")
    snap(page, "three-6-trash")
    for other in others:
        other.reads("person", "Mika Aaltonen", HARBOUR, 0)
    toggled(opened(ann, HARBOUR), "shared")
    for seat in (ann, *others):
        seat.reads("person", "Mika Aaltonen", HARBOUR, 1)
    snap(others[0].eyes, "three-5-person-of-ben")
