"""A user changes their own password, with the one they have: their other sessions end, and a letter says so.

Does not replace forgotten ones (reset.py).
"""

from __future__ import annotations

from mailcrm.errors import UserError
from mailcrm.models import User
from mailcrm.services import audit
from mailcrm.services.access import Actor
from mailcrm.services.auth import account_letters, browsers, passwords, proof, sessions
from mailcrm.services.db import transaction


def change(actor: Actor, current: str, new: str, *, cookie: str) -> int:
    """Set a new password and end the other sessions; return how many ended. `cookie` is the Cookie header of this one."""
    stored = proof.check(actor, current)
    passwords.check_strength(new)
    hashed = passwords.hash_password(new)
    with transaction() as session:
        user = session.get_one(User, actor.user_id, with_for_update=True)
        if user.password_hash != stored:  # changed meanwhile: what was checked is no longer the password
            raise UserError("auth.current_wrong", left=0)
        user.password_hash = hashed
        session.add(user)
        account_letters.end_links(session, actor.user_id)
        ended = sessions.end_all(session, actor.user_id, but=browsers.own_digest(cookie))
        audit.record(session, actor, "change_password", "user", actor.user_id)
        account_letters.write(session, "password", user.email)
    account_letters.wake()
    return ended
