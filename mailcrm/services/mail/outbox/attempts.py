"""The record of each attempt to hand a message over: how far it came, what the server said, how it ended (B10).

    begin (with the lease) --> running --> sent | later | failed | unknown     written with the outbox row's own outcome
                                  |
                          the process died: closed when somebody else takes the message, as `later` before the final
                          dot and as `unknown` after it

The step of an attempt whose process died is `connect` or, from the hand-over mark on, `dot`: steps between are kept in
memory, because a flush for each would cost more than the attempt. Helpers take a session; `list_attempts` is a verb.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select, update

from mailcrm.models import Outbox, OutboxAttempt, utcnow
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail.outbox.smtp import Progress

MAX_REPLY = 500  # characters of a server's answer; some send pages

_SENT = N_("{host} took the email.")
_UNKNOWN = N_("The connection broke after the email was handed over. Look in the Sent folder before sending again.")
_DIED = N_("mailcrm was stopped during this try.")
_RUNNING = N_("This try is running.")
_STEPS = {
    "connect": N_("{host} could not be reached."),
    "sign_in": N_("{host} did not accept the sign-in."),
    "mail": N_("{host} did not accept the sender."),
    "rcpt": N_("{host} did not accept the recipients."),
    "data": N_("{host} did not take the text of the email."),
    "dot": N_("{host} had the whole email and did not accept it."),
    "done": N_("{host} did not take the email."),
}


@dataclass(frozen=True)
class AttemptView:
    """One try. `outcome`: running, sent, later, failed, unknown; `step` is where it ended, `reply` the server's words."""

    n: int
    step: str
    outcome: str
    reply_code: int | None
    reply: str
    error_code: str
    started_at: datetime
    ended_at: datetime | None


def list_attempts(actor: Actor, outbox_id: int) -> tuple[AttemptView, ...]:
    """Return the tries of a message of the actor's, oldest first."""
    with reading() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        found = session.exec(
            select(OutboxAttempt).where(OutboxAttempt.outbox_id == row.id).order_by(col(OutboxAttempt.n))
        )
        return tuple(
            AttemptView(a.n, a.step, a.outcome, a.reply_code, a.reply_text, a.error_code, a.started_at, a.ended_at)
            for a in found
        )


def said(view: AttemptView, host: str, language: str) -> str:
    """Return what happened in one sentence, with the server's words."""
    if view.outcome in ("sent", "running", "unknown"):
        msgid = {"sent": _SENT, "running": _RUNNING, "unknown": _UNKNOWN}[view.outcome]
    else:
        msgid = _DIED if view.error_code == "outbox.interrupted" else _STEPS.get(view.step, _STEPS["done"])
    sentence = gettext(language, msgid, host=host)
    answer = " ".join(part for part in (str(view.reply_code or ""), view.reply) if part)
    return f"{sentence} “{answer}”" if answer and view.outcome != "sent" else sentence


def begin(session: Session, outbox_id: int) -> None:
    """Open the record of a new attempt, and close one whose process died before it handed anything over."""
    close_lost(session, outbox_id, "later", "outbox.interrupted")
    last = session.exec(select(func.max(OutboxAttempt.n)).where(OutboxAttempt.outbox_id == outbox_id)).one()
    session.add(OutboxAttempt(outbox_id=outbox_id, n=(last or 0) + 1))


def close_lost(session: Session, outbox_id: int, outcome: str, error_code: str) -> None:
    """Close the attempt of a process that died."""
    session.exec(  # type: ignore[call-overload]
        update(OutboxAttempt)
        .where(col(OutboxAttempt.outbox_id) == outbox_id, col(OutboxAttempt.outcome) == "running")
        .values(outcome=outcome, error_code=error_code, ended_at=utcnow())
    )


def handed_over(session: Session, outbox_id: int) -> None:
    """Note that the running attempt is about to send the final dot."""
    session.exec(  # type: ignore[call-overload]
        update(OutboxAttempt)
        .where(col(OutboxAttempt.outbox_id) == outbox_id, col(OutboxAttempt.outcome) == "running")
        .values(step="dot")
    )


def end(session: Session, outbox_id: int, progress: Progress, outcome: str, error_code: str = "") -> None:
    """Write how the running attempt ended, in the transaction of its outcome."""
    session.exec(  # type: ignore[call-overload]
        update(OutboxAttempt)
        .where(col(OutboxAttempt.outbox_id) == outbox_id, col(OutboxAttempt.outcome) == "running")
        .values(
            step=progress.step, outcome=outcome, error_code=error_code, ended_at=utcnow(),
            reply_code=progress.code, reply_text=progress.text[:MAX_REPLY],
        )
    )  # fmt: skip
