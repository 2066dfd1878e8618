"""Delivers what is due: one attempt at a time, exactly once as far as SMTP lets it be known (sync.md A8, B10).

    queued -> sending -> sent                     taken for everybody, or refused for some
                      -> queued                   4xx or network before the final dot: again after 2^n minutes
                      -> failed                   5xx, credentials, or ten tries in a day
                      -> unknown -> sent          lost from the final dot on: found in Sent by its Message-ID
                                 -> unknown       not found in five minutes, or others had it before: the user decides

An attempt is one SMTP transaction for each part of the message (outgoing.py): recipients whose bytes differ; all go over
one connection (smtp.Line). Each has
its own mark before the dot and its own outcome after it (outcome.py), so a kill between two parts neither doubles nor
loses. Those who accepted are never sent to again.
Builds no MIME (build.py), knows no SMTP replies (smtp.py) and stores no copy on the server (sent_copy.py).
"""

from __future__ import annotations

import structlog
from sqlalchemy import and_, or_
from sqlmodel import col, select

from mailcrm.config import config
from mailcrm.errors import DeliveryUnknown, MailcrmError, NeedsReconnect, NotFound, PermanentError, TransientError
from mailcrm.models import Outbox, utcnow
from mailcrm.services.db import is_disk_full, reading
from mailcrm.services.jobs import queue
from mailcrm.services.mail import outages
from mailcrm.services.mail.ews import submit as ews
from mailcrm.services.mail.outbox import build, finish, later, lease, outcome, outgoing, sent_copy, smtp
from mailcrm.services.mail.signing_in import Credentials, credentials, signed_in

log = structlog.get_logger()


def deliver_due(limit: int = 50, *, track: outgoing.Track) -> int:
    """Work on what is due; return how many messages were looked at. Idempotent; any number may run at once."""
    done = 0
    for outbox_id, state, handed_over in _due(limit):
        if state == "sending" and handed_over:
            done += lease.give_up_lost(outbox_id)
        elif state == "unknown":
            done += _settle(outbox_id)
        elif later.read_again(outbox_id):
            continue  # the clocks of its zone are set otherwise now
        else:
            done += _attempt(outbox_id, track)
    return done


def _due(limit: int) -> list[tuple[int, str, bool]]:
    now = utcnow()
    ready = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    arrived = or_(col(Outbox.send_at).is_(None), col(Outbox.send_at) <= now)
    lost = lease.run_out()
    wanted = or_(
        and_(col(Outbox.state) == "queued", ready, arrived, ~outages.is_out(col(Outbox.mailbox_id))),
        and_(col(Outbox.state) == "sending", lost),
        and_(col(Outbox.state) == "unknown", col(Outbox.next_try_at) <= now, lost),
    )
    with reading() as session:
        query = select(Outbox.id, Outbox.state, Outbox.handed_over_at).where(wanted)
        found = session.exec(query.order_by(col(Outbox.send_at), col(Outbox.id)).limit(limit)).all()
        return [(row[0] or 0, row[1], row[2] is not None) for row in found]


def _attempt(outbox_id: int, track: outgoing.Track) -> bool:
    owner = lease.new_owner()
    if not lease.take(outbox_id, owner):
        return False
    progress = smtp.Progress()
    try:
        with lease.kept(outbox_id, owner), smtp.Line() as line:
            made = outgoing.prepare(outbox_id, track)
            access = credentials(made.mailbox_id)
            for n, part in enumerate(made.parts, start=1):
                progress = smtp.Progress()
                _hand_over(outbox_id, owner, made, part, access, line, progress, last=n == len(made.parts))
            if not made.parts:
                outcome.nobody_waits(outbox_id, owner, progress)
    except lease.LeaseLost:
        log.warning("another process took the message over", outbox_id=outbox_id)
    except DeliveryUnknown:
        outcome.unknown(outbox_id, owner, progress)
    except TransientError as error:
        outcome.later(outbox_id, owner, error, progress)
    except NeedsReconnect as error:
        outcome.refused(outbox_id, owner, error, progress)
    except MailcrmError as error:
        outcome.failed(outbox_id, owner, error.code, error.params, progress)
    except build.Unbuildable as error:
        log.warning("a message can't be built", outbox_id=outbox_id, reason=str(error))
        outcome.failed(outbox_id, owner, "outbox.unbuildable", {}, progress)
    except Exception as error:
        # a defect, or no room on the disk: never sent twice for it, never lost for it
        log.exception("an attempt broke", outbox_id=outbox_id)
        outcome.broke(outbox_id, owner, progress, no_room=is_disk_full(error))
    else:
        queue.enqueue("sent_copy")
        queue.enqueue("link_pending")
    return True


def _hand_over(
    outbox_id: int,
    owner: str,
    made: outgoing.Outgoing,
    part: outgoing.Part,
    access: Credentials,
    line: smtp.Line,
    progress: smtp.Progress,
    *,
    last: bool,
) -> None:
    """One SMTP transaction and its outcome. What ends the whole attempt is raised."""
    try:
        # A token that is refused at sign-in is renewed once: nothing was sent by then.
        result = signed_in(
            access,
            lambda current: (
                ews.deliver(
                    current.smtp,
                    current.address,
                    current.smtp_password,
                    rcpt_to=part.rcpt_to,
                    message=part.raw,
                    allow_private=config().allow_private_hosts,
                    before_dot=lambda: lease.mark_handed_over(outbox_id, owner, progress.accepted),
                    progress=progress,
                )
                if current.kind == "ews"
                else smtp.deliver(
                    current.smtp,
                    current.smtp_password,
                    mail_from=made.mail_from,
                    rcpt_to=part.rcpt_to,
                    message=part.raw,
                    allow_private=config().allow_private_hosts,
                    before_dot=lambda: lease.mark_handed_over(outbox_id, owner, progress.accepted),
                    progress=progress,
                    line=line,
                )
            ),
        )
    except (TransientError, PermanentError) as error:
        if len(made.parts) == 1 or not _is_about_part(progress):
            raise
        outcome.turned_down(outbox_id, owner, part, error, progress, last=last)
    else:
        outcome.taken(outbox_id, owner, made, part, result, progress, last=last)


def _is_about_part(progress: smtp.Progress) -> bool:
    """Whether the server answered about these recipients or this text: another part may fare better."""
    return progress.step in ("rcpt", "data", "dot") and progress.code not in (None, 421)


def _settle(outbox_id: int) -> bool:
    """Look for an unknown message among ours and in the server's Sent folder; decide, or look again later."""
    owner = lease.new_owner()
    if not lease.take_for(outbox_id, owner, col(Outbox.state) == "unknown"):
        return False
    with reading() as session:
        row = session.get(Outbox, outbox_id)
        sha = row.sent_blob_sha if row is not None else None
        # Others took it before: the copy is theirs, and says nothing of those in doubt.
        again = row is not None and row.sent_at is not None
    with lease.kept(outbox_id, owner):
        try:
            found = not again and sent_copy.is_on_server(outbox_id)
        except (MailcrmError, NotFound) as error:
            log.info("Sent can't be searched", outbox_id=outbox_id, code=error.code)
            found = False
    prepared = finish.load(sha) if found and sha else None
    return outcome.settled(outbox_id, owner, prepared, searchable=not again)
