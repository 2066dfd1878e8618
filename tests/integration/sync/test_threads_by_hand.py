"""What was split by hand stays split when the server hands out new UIDs and every message is met again."""

from __future__ import annotations

from mailcrm.services.access import Actor
from mailcrm.services.mail.thread import manual
from tests.integration.sync.conftest import Box, raw


def groups(box: Box) -> set[str]:
    found: dict[int, list[str]] = {}
    for message in box.messages():
        found.setdefault(message.thread_id, []).append((message.rfc_message_id or "").partition("@")[0])
    return {" ".join(sorted(each)) for each in found.values()}


def test_a_split_survives_a_new_uidvalidity(box: Box) -> None:
    ann = Actor(box.user_id)
    for n, parent in ((1, None), (2, 1), (3, 2)):
        box.deliver(raw(n, reply_to=parent))
    box.sync()
    assert groups(box) == {"1 2 3"}
    second = next(message for message in box.messages() if message.rfc_message_id == "2@sync.test")
    manual.split_thread(ann, second.id or 0)
    assert groups(box) == {"1", "2 3"}

    box.dovecot.new_uidvalidity(box.user)
    box.deliver(raw(4, reply_to=3))
    box.deliver(raw(5, reply_to=1))
    box.deliver(raw(2, reply_to=1), "Archive")
    box.sync()

    assert groups(box) == {"1 5", "2 3 4"}
