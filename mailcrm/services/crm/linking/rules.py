"""The worker's job "link_pending": asks match.py about messages whose `link_pending` is set, and writes what it says.

One transaction holds messages of some users and those users' locks, so that two workers never decide about one
conversation at once. Links made here tie whole threads (settled question 8). Rows in, rows out: what a person does by
hand is link.py's, what sets `link_pending` again is pending.py's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, bindparam, func, select, update
from sqlalchemy import column as column_of
from sqlmodel import Session, col

from mailcrm.models import Deal, Link, LiveEvent, Mailbox, Message, Outbox, Participant, utcnow
from mailcrm.services.crm.linking import directory, guard, match
from mailcrm.services.crm.linking.addresses import same
from mailcrm.services.crm.linking.match import Intent, Target, ThreadLinks
from mailcrm.services.db import reading, transaction
from mailcrm.services.given import dialect_of, one_of
from mailcrm.services.mail import arrivals, held
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.mail.thread.assign import lock_free
from mailcrm.services.rows import chunks, insert_of, pick, rows, run, table_of
from mailcrm.services.tracking import replies

BATCH = 500  # messages of one transaction: a tenth of a second, so that SQLite's other writers go on
PARTICIPANTS = 20_000  # of one transaction, however many recipients the messages have: work and memory stay bounded
HINTS = 20  # conversations of one batch that open tabs are told of one by one; beyond that "your mail changed" does

Values = list[dict[str, Any]]


def apply_rules(limit: int = 1000) -> int:
    """Run the rules on messages that wait for them, at most `limit`, in batches; return how many were looked at.

    Idempotent; several workers may run it at once.
    """
    done = 0
    while done < limit:
        size = min(BATCH, limit - done)
        with reading() as session:
            users = {row[0] for row in rows(session, _waiting(Message.user_id).limit(size))}
        if not users:
            break
        with transaction(loading=True) as session:  # links fall anywhere in seven indexes
            guard.deciding(session)
            looked_at = _apply_batch(session, lock_free(session, users), size)
        if not looked_at:
            break  # somebody has them in hand; the sweep comes back for them
        done += looked_at
    return done


def values_of(thread_id: int, intent: Intent, origin: str, created_by: int | None = None) -> dict[str, Any]:
    """Return the row of a link."""
    reason: dict[str, Any] = {"code": intent.code}
    if intent.address:
        reason["address"] = intent.address
    if intent.person:
        reason["person_id"] = intent.person
    values: dict[str, Any] = {"person_id": None, "deal_id": None, "lead_id": None}
    values[f"{intent.target.kind}_id"] = intent.target.id
    moment = utcnow()
    return values | {
        "thread_id": thread_id,
        "origin": origin,
        "reason": reason,
        "created_by": created_by,
        "created_at": moment,
    }


def insert_links(session: Session, made: Values) -> None:
    """Insert links; one that another transaction made meanwhile stays as it is."""
    if not made:
        return
    connection, table = session.connection(), table_of(Link)
    insert = insert_of(connection)(table)
    if connection.dialect.name == "postgresql":  # one statement with one parameter, not one for each row
        given = func.json_to_recordset(bindparam("made", type_=JSON)).table_valued(
            *(column_of(name, table.c[name].type) for name in made[0])
        )
        listed = given.render_derived(with_types=True)
        insert = insert.from_select(list(made[0]), select(*listed.c))
        moments = [{**values, "created_at": values["created_at"].isoformat()} for values in made]
        connection.execute(insert.on_conflict_do_nothing(), {"made": moments})
        return
    connection.execute(insert.on_conflict_do_nothing(), made)


def _waiting(*columns: Any) -> Any:
    return pick(*columns).where(col(Message.link_pending).is_(True)).order_by(col(Message.id))


def _apply_batch(session: Session, users: set[int], size: int) -> int:
    waiting = _waiting(
        Message.id,
        Message.user_id,
        Message.thread_id,
        Message.mailbox_id,
        Message.direction,
        Message.rfc_message_id,
        Message.junk,
    ).where((col(Message.user_id) + 0).in_(users))  # the sum keeps SQLite from reading all of these users' mail for it
    # Locked until they are settled, for pending.py; never waited for, so that nobody waits for each other.
    batch = rows(session, waiting.limit(size).with_for_update(skip_locked=True, key_share=True))
    participants, upto = _participants(session, [row.id for row in batch])
    batch = [row for row in batch if row.id <= upto]
    if not batch:
        return 0
    threads = directory.thread_links(session, {row.thread_id for row in batch})
    made = _chosen_in_composer(session, batch, threads)
    made += _by_rule(session, [row for row in batch if not row.junk], participants, threads)
    insert_links(session, made)
    for part in chunks([row.id for row in batch]):
        settled = update(Message).where(one_of(col(Message.id), part, dialect_of(session)))
        run(session, settled.values(link_pending=False))
    _settle(session, batch)
    whose = {row.thread_id: row.user_id for row in batch}
    told: dict[int, dict[int, None]] = defaultdict(dict)
    for values in made:
        told[whose[values["thread_id"]]][values["thread_id"]] = None
    _tell(session, told)
    return len(batch)


def _settle(session: Session, batch: Sequence[Any]) -> None:
    """Let those who wait for mail look at it; who waits for nothing is asked about once, not in every batch."""
    own: dict[int, list[int]] = defaultdict(list)
    arrived: dict[int, list[int]] = defaultdict(list)
    for row in batch:
        own[row.user_id].append(row.id)
        if row.direction == "in":
            arrived[row.user_id].append(row.id)
    for user_id in sorted(held.holding(session, own)):
        held.settle(session, user_id, own[user_id])
    for user_id in sorted(arrivals.waiting(session, arrived)):
        arrivals.settle(session, user_id, arrived[user_id])
    replies.settle(session, [row.id for row in batch if row.direction == "in"])


def _by_rule(
    session: Session,
    batch: Sequence[Any],
    participants: dict[int, list[tuple[str, str]]],
    threads: dict[int, ThreadLinks],
) -> Values:
    """Decide for each thread with all its messages of the batch; a thread's persons come before its deals."""
    everyone = {user: frozenset(map(same, found)) for user, found in workspace_addresses(session).items()}
    colleagues = frozenset[str]().union(*everyone.values())
    addresses: dict[int, dict[str, None]] = defaultdict(dict)
    mailboxes: dict[int, dict[int, None]] = defaultdict(dict)
    for row in batch:
        own = everyone.get(row.user_id, frozenset[str]())
        found = match.counterparties(participants.get(row.id, ()), own, colleagues)
        addresses[row.thread_id].update(dict.fromkeys(found))
        mailboxes[row.thread_id][row.mailbox_id] = None
    linked = {
        target.id
        for thread in threads.values()
        if not match.has_own(thread)
        for target in thread.standing
        if target.kind == "person"
    }
    known = directory.load(session, {one for several in addresses.values() for one in several}, linked)
    policies = _policies(session, {row.mailbox_id for row in batch})
    made: Values = []
    for thread_id, found in addresses.items():
        thread = threads[thread_id]
        for mailbox_id in mailboxes[thread_id]:
            link_deals, policy = policies[mailbox_id]
            intents = match.decide(found, thread, known, link_deals=link_deals, policy=policy)
            thread = thread.with_links(intents)
            made += [values_of(thread_id, intent, "rule") for intent in intents]
    return made


def _policies(session: Session, mailbox_ids: set[int]) -> dict[int, tuple[bool, str]]:
    statement = pick(Mailbox.id, Mailbox.auto_link_deals, Mailbox.deal_link_policy)
    return {row[0]: (row[1], row[2]) for row in rows(session, statement.where(col(Mailbox.id).in_(mailbox_ids)))}


def _chosen_in_composer(session: Session, batch: Sequence[Any], threads: dict[int, ThreadLinks]) -> Values:
    """Link the deals that were chosen in the composer, for sent messages that came back as rows."""
    sent = [row for row in batch if row.direction == "out"]
    by_id = {row.id: row for row in sent}
    by_name = {(row.mailbox_id, row.rfc_message_id): row for row in sent if row.rfc_message_id}
    chosen: dict[int, tuple[int, int]] = {}
    statement = (
        pick(Outbox.message_id, Outbox.mailbox_id, Outbox.rfc_message_id, Outbox.deal_id, Outbox.user_id)
        .join(Deal, col(Deal.id) == col(Outbox.deal_id))
        .where(col(Deal.deleted_at).is_(None))
    )
    for column, of_text, wanted in (
        (col(Outbox.message_id), False, list(by_id)),
        (col(Outbox.rfc_message_id), True, [name for _, name in by_name]),
    ):
        for part in chunks(wanted):
            these = one_of(column, part, dialect_of(session), of_text=of_text)
            for message_id, mailbox_id, name, deal_id, by in rows(session, statement.where(these)):
                row = by_id.get(message_id) or by_name.get((mailbox_id, name))
                if row is not None:
                    chosen[row.id] = (deal_id, by)
    made: Values = []
    for row in sent:
        if row.id not in chosen:
            continue
        (deal_id, by), thread = chosen[row.id], threads[row.thread_id]
        intent = Intent(Target("deal", deal_id), "composer")
        if intent.target not in thread.standing and intent.target not in thread.unlinked:
            threads[row.thread_id] = thread.with_links((intent,))
            made.append(values_of(row.thread_id, intent, "composer", by))
    return made


def _participants(session: Session, message_ids: list[int]) -> tuple[dict[int, list[tuple[str, str]]], int]:
    """Load who takes part, and the id of the last message that was loaded whole.

    The parser keeps at most 1,000 addresses of a header, so one message always fits.
    """
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    left = PARTICIPANTS
    for part in chunks(message_ids):
        statement = (
            pick(Participant.message_id, Participant.role, Participant.address)
            .where(
                one_of(col(Participant.message_id), part, dialect_of(session)),
                col(Participant.role).in_(match.COUNTING_ROLES),
            )
            .order_by(col(Participant.message_id), col(Participant.id))
            .limit(left)
        )
        loaded = rows(session, statement)
        for message_id, role, address in loaded:
            found[message_id].append((role, address))
        left -= len(loaded)
        if left <= 0:
            last = max(found)
            whole = [message_id for message_id in message_ids if message_id < last]
            return found, whole[-1] if whole else last
    return found, message_ids[-1] if message_ids else 0


def _tell(session: Session, threads: Mapping[int, Collection[int]]) -> None:
    """Tell each user's open tabs which of their conversations changed, and everybody's that links did."""
    if not threads:
        return
    now = utcnow()
    hints: Values = [{"user_id": None, "topic": "crm", "ref": None, "at": now}]
    for user_id, several in threads.items():
        refs: list[int | None] = [*several] if len(several) <= HINTS else [None]
        hints += [{"user_id": user_id, "topic": "mail", "ref": ref, "at": now} for ref in refs]
    session.connection().execute(table_of(LiveEvent).insert(), hints)
