"""Makes the demo's rows: workspace, two users, their mailboxes, people, deals with their next steps, templates.

Links between mail and deals are not made here: the linking rules make them when the mail arrives, and the few deals
that a rule must not guess stay unlinked, as in life.
"""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, DealStage, utcnow
from mailcrm.services import demo
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import activities, deals, leads, notes, organizations, people, pipelines
from mailcrm.services.db import transaction
from mailcrm.services.demo import cast, mail, store
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.writing import templates


def ensure() -> str:
    """Make the workspace unless it is there; return the password. Raises UserError("demo.taken")."""
    from mailcrm.config import config

    if demo.is_made(config().data_dir):
        return store.load().password
    if users.is_set_up():
        raise UserError("demo.taken")
    make("en")
    return store.load().password


def make(language: str) -> tuple[Actor, str]:
    """Make everything; the administrator's actor and a session secret come back."""
    if users.is_set_up():
        raise UserError("auth.setup_done")
    facts = store.new_facts([demo.ADMIN_EMAIL, demo.COLLEAGUE_EMAIL])
    _lay_mail(facts)  # files first: a full disk must not leave a workspace without its mail
    sana, secret = users.set_up(
        name="Sana Okafor",
        email=demo.ADMIN_EMAIL,
        password=facts.password,
        workspace_name="Tidewater",
        language=language,
        time_zone="Europe/London",
        demo=True,
    )
    users.create(name="Dmitri Kral", email=demo.COLLEAGUE_EMAIL, password=facts.password)
    dmitri = users.by_email(demo.COLLEAGUE_EMAIL)
    _crm({"sana": sana, "dmitri": dmitri})
    for actor, address in ((sana, demo.ADMIN_EMAIL), (dmitri, demo.COLLEAGUE_EMAIL)):
        _connect(actor, address, facts)
    store.save(facts)
    return sana, secret


def _lay_mail(facts: store.ServerFacts) -> None:
    store.clear()
    now = utcnow()
    for address in facts.addresses:
        store.create(address)
        for message in mail.messages(address, now):
            store.put(address, message.folder, message.raw, message.at, seen=message.seen)


def _connect(actor: Actor, address: str, facts: store.ServerFacts) -> None:
    name = users.me(actor).name
    box = mailboxes.connect(
        actor,
        mailboxes.MailboxInput(
            address=address,
            imap=ServerSpec(store.HOST, facts.imap_port, "none", address),
            smtp=ServerSpec(store.HOST, facts.smtp_port, "none", address),
            password=facts.password,
            display_name=name,
        ),
        probe=False,  # `serve` starts the servers once server.json is there
    )
    mailboxes.change(actor, box.id, track_opens=True, track_clicks=True, track_notify=True, default_visibility="shared")


def _crm(owners: dict[str, Actor]) -> None:
    sana = owners["sana"]
    stages = {stage.name: stage.id for stage in pipelines.list_pipelines(sana)[0].stages}
    organization_ids = {
        name: organizations.create_organization(sana, name=name, domains=(domain,)).card.id
        for name, domain in cast.ORGANIZATIONS.items()
    }
    person_ids: dict[str, int] = {}
    for who in cast.PEOPLE:
        made = people.create_person(
            owners[who.owner],
            name=who.name,
            addresses=(who.address,),
            phones=(who.phone,) if who.phone else (),
            organization=who.organization,
            job_title=who.title,
        )
        person_ids[who.address] = made.card.id
        if who.consent:
            people.set_consent(owners[who.owner], made.card.id, who.consent, "Trade fair, Aquaculture Europe")
    deal_ids: dict[str, tuple[Actor, int]] = {}
    for deal in cast.DEALS:
        actor = owners[deal.owner]
        made_deal = deals.create_deal(
            actor,
            title=deal.title,
            value_minor=deal.value_minor,
            currency=deal.currency,
            stage_id=stages[deal.stage],
            person_id=person_ids.get(deal.person),
            organization_id=organization_ids[deal.organization],
            expected_close=(utcnow() + timedelta(days=deal.closes_in)).date(),
        )
        deal_ids[deal.title] = (actor, made_deal.card.id)
        _age(made_deal.card.id, deal.days)
    for lead in cast.LEADS:
        leads.create_lead(sana, title=lead)
    for step in cast.STEPS:
        actor, deal_id = deal_ids[step.deal]
        due = (utcnow() + timedelta(days=step.days)).date()
        activities.create_activity(actor, kind=step.kind, subject=step.subject, due_on=due, deal_id=deal_id)
    for title, text in cast.NOTES.items():
        actor, deal_id = deal_ids[title]
        notes.create_note(actor, text, deal_id=deal_id)
    for each in cast.TEMPLATES:
        templates.create(
            sana, name=each.name, subject=each.subject, html=each.html, folder=each.folder, shared=each.shared
        )


def _age(deal_id: int, days: int) -> None:
    """Let a deal look as old as its mail."""
    with transaction() as session:
        row = session.get(Deal, deal_id)
        if row is None:
            return
        row.created_at = utcnow() - timedelta(days=days + 20)
        for stay in session.exec(select(DealStage).where(col(DealStage.deal_id) == deal_id)):
            stay.entered_at = utcnow() - timedelta(days=days)
            session.add(stay)
        session.add(row)
