"""What strangers and colleagues write, in every row, page, tooltip and toast of the app, in Chromium (threats 1, 3, 4).

Subjects, display names, file names, labels, titles, names of stages, templates, teams and users are attacks here.
Nothing runs, nothing is asked of another host, no page becomes wider than its window, and no text leaves its place: each
row of the inbox has its parts where the plain row beside it has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Error, Page, Request, expect, sync_playwright
from sqlmodel import col, select

from mailcrm import routes
from mailcrm.mailcrm import PAGES
from mailcrm.models import Attachment, Mailbox, Message, Participant, User
from mailcrm.services.auth import teams
from mailcrm.services.crm import labels, leads, notes, organizations, people, pipelines
from mailcrm.services.db import transaction
from mailcrm.services.mail import labels as mail_labels
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.writing import templates
from tests.builders import a_deal, a_mailbox, a_message, a_person
from tests.conftest import needs
from tests.e2e.conftest import snap
from tests.integration.security.conftest import Person, Served

MARK = "HSTL"
#: Each sets `window.hit` where it runs. The last ones turn text round, pile marks up, or are one word without an end.
ATTACKS = (
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "</title></textarea></script><script>window.hit=1</script>",
    "'-(window.hit=1)-'`${window.hit=1}`",
    "{{constructor.constructor('window.hit=1')()}}",
    "<reflex.Var>window.hit=1</reflex.Var>",
    "javascript:window.hit=1",
    "<style>*{position:fixed;inset:0}</style><base href=//evil.example/>",
    "\u202e\u2066gpj.exe\u202d",
    "o" + "\u0321\u0489\u0352" * 40,
    "W" * 180,
)
PLAIN = "Plain words"
#: All that listens is told of everything but clicks; tooltips come of it.
ACT = """() => {
  for (const element of document.querySelectorAll('body *'))
    for (const name of ['pointerover', 'pointerenter', 'mouseover', 'mouseenter', 'pointermove', 'error', 'load', 'toggle'])
      element.dispatchEvent(new PointerEvent(name, {bubbles: name !== 'error' && name !== 'load', pointerType: 'mouse'}));
}"""
LOOK = """() => {
  const bad = [];
  if (window.hit) bad.push('ran');
  for (const element of document.querySelectorAll('img[src="x"], [onerror], [onload], base, script:not([src]), style')) {
    const text = element.outerHTML;
    if (text.includes('window.hit') || text.includes('evil.example') || text.includes('{position:fixed;inset:0}')) bad.push(text.slice(0, 90));
  }
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth + 1) bad.push(`${root.scrollWidth} pixels wide`);
  for (const element of document.querySelectorAll('[href], [src]'))
    if (/^\\s*javascript:/i.test(element.getAttribute('href') || element.getAttribute('src'))) bad.push('javascript: link');
  return bad;
}"""
#: Where the parts of each row of the inbox lie; pairs of texts that lie upon each other.
ROWS = """() => [...document.querySelectorAll('[data-testid="thread-row"]')].map(row => {
  const box = row.getBoundingClientRect();
  const leaves = [...row.querySelectorAll('*')].filter(e => !e.children.length && e.textContent.trim() && e.checkVisibility());
  const places = leaves.map(e => e.getBoundingClientRect());
  const bad = [];
  places.forEach((a, i) => {
    if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top - 1 || a.bottom > box.bottom + 1)
      if (getComputedStyle(leaves[i].parentElement).overflow !== 'hidden') bad.push('outside: ' + leaves[i].textContent.slice(0, 30));
    places.slice(i + 1).forEach((b, j) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && high > 6) bad.push(leaves[i].textContent.slice(0, 30) + ' on ' + leaves[i + 1 + j].textContent.slice(0, 30));
    });
  });
  const time = row.querySelector('time, .time, .when');
  return {height: Math.round(box.height), time: time && Math.round(time.getBoundingClientRect().right), bad};
})"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The web process alone: nothing syncs, so what stands in the rows stays there."""
    with Served(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@dataclass
class World:
    served: Served
    ann: Person
    ids: dict[str, list[int]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def world(served: Served) -> World:
    """Everything that has a name, once for each attack."""
    ann = served.person("Ann", admin=True)
    made = World(served, ann, {kind: [] for kind in ("thread", "person", "organization", "deal", "lead")})
    with served.inside():
        box = a_mailbox(ann.actor)
        a_message(box, sender=f"{PLAIN} <plain@plain.test>", subject=PLAIN, text=PLAIN)
        stages = [f"{MARK} {attack}"[:80] for attack in ATTACKS[:6]]
        pipelines.create_pipeline(ann.actor, f"{MARK} {ATTACKS[0]}", stages)
        for number, attack in enumerate(ATTACKS):
            name = f"{MARK}{number} {attack}"
            message = a_message(
                box, sender=f"x <h{number}@hostile.test>", subject=name, text=f"{name} {name}", attachment="a.pdf"
            )
            made.ids["thread"].append(message.thread_id or 0)
            person = a_person(ann.actor, name, f"h{number}@hostile.test", organization=name)
            deal = a_deal(ann.actor, name, person=person).card.id
            made.ids["person"].append(person.card.id)
            made.ids["deal"].append(deal)
            made.ids["organization"].append(organizations.create_organization(ann.actor, name=f"{name} Ltd").card.id)
            made.ids["lead"].append(leads.create_lead(ann.actor, title=name, person_id=person.card.id).id)
            notes.create_note(ann.actor, name, deal_id=deal)
            short = f"{number}{attack}"[:38]
            for kind, row in (("deal", deal), ("person", person.card.id)):
                labels.put_many(ann.actor, kind, [row], labels.create_label(ann.actor, kind, short).id, True)
            worn = labels.create_label(ann.actor, mail_labels.KIND, short).id
            mail_labels.put(ann.actor, [message.thread_id or 0], worn, True)
            templates.create(ann.actor, name=short, subject=name.replace("{{", "{ "), html=f"<p>{number}</p>")
            if short.isprintable():
                teams.create(ann.actor, short)
        with transaction() as session:
            session.get_one(User, ann.actor.user_id).name = f"{MARK} {ATTACKS[0]}"
            session.get_one(Mailbox, box).display_name = f"{MARK} {ATTACKS[1]}"
            rows = session.exec(select(Attachment).order_by(col(Attachment.id).desc())).all()
            for row, attack in zip(rows, reversed(ATTACKS), strict=False):
                row.filename = f"{MARK} {attack}.pdf"
        _rename_senders(made)
    return made


def _rename_senders(world: World) -> None:
    """A display name as the sync stores it: the header's text, whatever it says."""
    with transaction() as session:
        for number, (thread, attack) in enumerate(zip(world.ids["thread"], ATTACKS, strict=True)):
            name = f"{MARK}{number} {attack}"
            for message in session.exec(select(Message).where(col(Message.thread_id) == thread)):
                message.from_name = name
                for one in session.exec(select(Participant).where(col(Participant.message_id) == message.id)):
                    one.name = name
        refresh_threads(session, world.ids["thread"])


@pytest.fixture(scope="module")
def page(world: World) -> Iterator[Page]:
    """Ann's browser; it remembers each dialog, each request elsewhere and each failure of a script."""
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path=needs("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        name, _, value = world.ann.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": world.served.url}])
        opened = context.new_page()
        problems: list[str] = []

        def asked(request: Request) -> None:
            if not request.url.startswith((world.served.url, "data:", "blob:")):
                problems.append(request.url)

        def told(dialog: Dialog) -> None:
            problems.append(dialog.message)
            dialog.dismiss()

        opened.on("request", asked)
        opened.on("dialog", told)
        opened.on("pageerror", lambda error: problems.append(str(error)))
        yield opened
        browser.close()
        assert not problems, problems


def looked_at(page: Page, world: World, path: str, shows: str = "") -> None:
    """Go there, touch everything, and find nothing that acts."""
    try:
        page.goto(world.served.url + path)
    except Error as error:  # the page before went on elsewhere by itself meanwhile
        if "ERR_ABORTED" not in str(error):
            raise
        page.goto(world.served.url + path)
    if shows:
        expect(page.locator("body")).to_contain_text(shows)
    assert found(page) == [], path


def found(page: Page) -> list[str]:
    """What acts on a page once everything on it was touched; a page that goes on elsewhere is looked at there."""
    for _ in range(3):
        try:
            page.evaluate(ACT)
            return page.evaluate(LOOK)
        except Error as error:
            if "context was destroyed" not in str(error):
                raise
            page.wait_for_load_state()
    raise AssertionError(f"{page.url} never stands still")


#: What each page shows of them; a page that needs an id is asked for each.
SHOWN = {
    routes.INBOX: f"{MARK}10", routes.PEOPLE: f"{MARK}1", routes.ORGANIZATIONS: f"{MARK}1", routes.DEALS: "", routes.LEADS: f"{MARK}1",
    routes.TEMPLATES: f"{MARK}", routes.SETTINGS_PEOPLE: ATTACKS[0], routes.SETTINGS_PIPELINES: MARK,
    routes.SETTINGS_RECORDS: ATTACKS[0],
}  # fmt: skip


def test_no_page_lets_a_row_act(page: Page, world: World, record_property: Callable[[str, object], None]) -> None:
    """Every page of the app's own table, those with an id once for each attack."""
    seen = 0
    leads_on = (routes.ROOT, routes.SETTINGS, routes.SETUP, routes.LOGIN, routes.LOGIN_CODE, routes.FORGOT)
    for route in PAGES:
        kind = next((kind for kind in world.ids if f"[{kind}_arg]" in route), "")
        if kind:
            for number, row in enumerate(world.ids[kind]):
                looked_at(page, world, route.replace(f"[{kind}_arg]", str(row)), f"{MARK}{number}")
        elif "[" not in route and route not in leads_on:  # to pages that are looked at, or only before signing in
            looked_at(page, world, route, SHOWN.get(route, ""))
        seen += max(len(world.ids.get(kind, [])), 1)
    record_property("measured", f"0 of {len(ATTACKS)} attacks act on {seen} pages")


def test_what_looks_is_not_blind(page: Page) -> None:
    """The same attacks in a page that escapes nothing are seen."""
    bare = page.context.new_page()
    for attack in (ATTACKS[0], ATTACKS[1], ATTACKS[7], f'<a href="{ATTACKS[6]}">x</a>', f"<p>{ATTACKS[10] * 9}</p>"):
        bare.set_content(f'<input value="{attack}">{attack}')
        assert found(bare) != [], attack
    bare.close()


def test_rows_keep_their_parts_apart(page: Page, world: World) -> None:
    """Each row as high as the plain one, its time where the plain one's is, no text upon another."""
    looked_at(page, world, routes.INBOX, PLAIN)
    snap(page, "hostile-rows-inbox")
    rows = page.evaluate(ROWS)
    assert len(rows) == len(ATTACKS) + 1
    assert [each["bad"] for each in rows if each["bad"]] == []
    assert len({each["time"] for each in rows}) == 1, rows
    looked_at(page, world, routes.DEALS)
    snap(page, "hostile-rows-deals")
    looked_at(page, world, f"/thread/{world.ids['thread'][8]}", f"{MARK}8")
    snap(page, "hostile-rows-thread")


def test_a_search_and_an_address_are_text(page: Page, world: World) -> None:
    """What is searched for, found and marked; parameters of an address, which anybody can send as a link."""
    for attack in ATTACKS[:8]:
        looked_at(page, world, f"/inbox?q={quote(attack)}")
        query = f"error=input.invalid&value={quote(attack)}&field={quote(attack)}&address={quote(attack)}&name={quote(attack)}"
        for path in (routes.SETTINGS_SYNC, routes.SETTINGS_IMPORT, "/compose", routes.INBOX):
            looked_at(page, world, f"{path}?{query}")
    looked_at(page, world, f"/inbox?q={MARK}3", f"{MARK}3")
    page.keyboard.press("Control+k")
    page.keyboard.type(f"{MARK}0")
    expect(page.get_by_role("dialog")).to_contain_text(ATTACKS[0])
    assert found(page) == []


def test_toasts_are_text(page: Page, world: World) -> None:
    """A row is put into the trash and back: what is said names it."""
    with world.served.inside():
        for person in world.ids["person"]:
            people.delete(world.ann.actor, person)
    looked_at(page, world, routes.SETTINGS_TRASH, f"{MARK}10")
    rows = page.get_by_test_id("trash-row").filter(has_text=MARK)
    for _ in range(len(ATTACKS)):
        there = rows.count()
        rows.first.get_by_test_id("trash-restore").click()
        expect(rows).to_have_count(there - 1)
        assert found(page) == []
