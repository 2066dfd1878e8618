"""What the part `browser` needs in a database, written by a process of its own with the database in the environment.

`python -m tests.bench.browser_data large MESSAGES` fills the workspace of the part crm where it is empty, gives the
newest conversations of its first user bodies (the workspace itself has none), one label and one email that failed to
leave, far back; `… session` only signs somebody in. Both print the secret of a session as JSON.
"""

from __future__ import annotations

import json
import sys

from tests.bench import crm, crm_data
from tests.bench.mailbox import messages

NEWEST = 450  # conversations with bodies; pages that the bench looks through
LABEL = "Rare"


def large(count: int) -> None:
    """Make what is missing in the large workspace."""
    from sqlmodel import select

    from mailcrm.models import Label
    from mailcrm.services import db

    db.migrate()
    crm.fill_when_empty(crm_data.Size(count))
    with db.reading() as session:
        made = session.exec(select(Label).where(Label.kind == "thread", Label.name == LABEL)).first() is not None
    if not made:
        _bodies()
        _rare()
        db.analyze()


def _bodies() -> None:
    """Real mail for the newest conversations' messages."""
    from sqlalchemy import update
    from sqlmodel import col

    from mailcrm.models import Blob, Message, Thread
    from mailcrm.services.db import transaction
    from mailcrm.services.mail import blobs
    from mailcrm.services.rows import pick, rows, run

    newest = pick(Thread.id).where(col(Thread.user_id) == 1).order_by(col(Thread.last_at).desc()).limit(NEWEST)
    with transaction() as session:
        found = [row[0] for row in rows(session, pick(Message.id).where(col(Message.thread_id).in_(newest)))]
        for message, (raw, _, _) in zip(found, messages(len(found)), strict=True):
            sha = blobs.put(raw)
            session.add(Blob(sha256=sha, size=len(raw)))
            session.flush()
            run(session, update(Message).where(col(Message.id) == message).values(blob_sha=sha, size=len(raw)))


def _rare() -> None:
    """A label and a failed email on few conversations from long ago."""
    from sqlmodel import col

    from mailcrm.models import Label, Message, Outbox, Thread, ThreadLabel
    from mailcrm.services.db import transaction
    from mailcrm.services.rows import pick, rows

    with transaction() as session:
        old = pick(Thread.id).where(col(Thread.user_id) == 1, col(Thread.message_count) > 0)
        threads = [row[0] for row in rows(session, old.order_by(col(Thread.last_at), col(Thread.id)).limit(5))]
        label = Label(kind="thread", name=LABEL, color="red")
        session.add(label)
        session.flush()
        session.add_all(ThreadLabel(label_id=label.id or 0, thread_id=thread, user_id=1) for thread in threads)
        answered = rows(session, pick(Message.id).where(col(Message.thread_id) == threads[0]).limit(1))[0][0]
        session.add(
            Outbox(
                user_id=1, mailbox_id=1, state="failed", error_code="internal", reply_to_message_id=answered,
                subject="Never left", rfc_message_id="never@left.test",
            )
        )  # fmt: skip


def session_of(user_id: int) -> str:
    """Sign a user in; return the secret for the cookie."""
    from mailcrm.services.auth import sessions
    from mailcrm.services.db import transaction

    with transaction() as session:
        return sessions.start(session, user_id, "bench")


if __name__ == "__main__":
    if sys.argv[1] == "large":
        large(int(sys.argv[2]))
    print(json.dumps({"secret": session_of(1)}))
