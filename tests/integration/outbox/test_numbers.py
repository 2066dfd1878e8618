"""A draft's number is its own for ever."""

from __future__ import annotations

from mailcrm.services.mail.outbox import draft as drafts
from tests.builders import a_mailbox, a_user


def test_the_number_of_a_discarded_draft_is_never_given_again(db: str) -> None:
    """A browser's late text, and its copy of what was typed, name a draft by its number alone."""
    aino = a_user()
    a_mailbox(aino)
    first = drafts.new_draft(aino)
    drafts.discard(aino, first.id)
    assert drafts.new_draft(aino).id > first.id
