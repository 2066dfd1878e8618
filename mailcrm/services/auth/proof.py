"""Before what an open tab alone must not do: the actor gives their password again.

Somebody who sits at an open tab may guess only as often as at the sign-in page.
"""

from __future__ import annotations

from mailcrm.errors import UserError
from mailcrm.models import User
from mailcrm.services.access import Actor
from mailcrm.services.auth import passwords, throttle
from mailcrm.services.db import transaction


def check(actor: Actor, password: str) -> str:
    """Make sure that it is the actor who asks, and return the hash that fitted.

    Raises UserError("auth.current_wrong" | "auth.locked").
    """
    subject = f"password of {actor.user_id}"
    with transaction() as session:
        user = session.get_one(User, actor.user_id, with_for_update=True)
        until = throttle.locked_until(session, subject, "")
        if until is not None:
            raise UserError("auth.locked", until=until.strftime("%H:%M UTC"))
        left = throttle.count(session, subject, "")
        stored = user.password_hash
    if not passwords.verify(stored, password):  # outside the transaction: it takes tens of milliseconds
        raise UserError("auth.current_wrong", left=left)
    with transaction() as session:
        throttle.take_back(session, subject, "")
    return stored
