"""The order of a conversation's messages: by time, and within one second an answer after what it answers.

Pure. Rows alone don't tell: a first sync fetches the newest first, so that an answer's id is the smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mailcrm.models import Message

MOST = 50  # in one second; more of them are a machine's and answer nobody


def in_order(messages: Sequence[Message]) -> list[Message]:
    """Return messages oldest first; takes them sorted by time, then by whatever else."""
    ordered: list[Message] = []
    for _, group in groupby(messages, key=lambda each: each.sort_at):
        waiting = list(group)
        while 1 < len(waiting) <= MOST:
            names = {each.rfc_message_id for each in waiting if each.rfc_message_id}
            free = [
                each for each in waiting if each.in_reply_to not in names or each.in_reply_to == each.rfc_message_id
            ]
            now = free or waiting[:1]  # answers in a ring are somebody's joke
            ordered += now
            done = {id(each) for each in now}
            waiting = [each for each in waiting if id(each) not in done]
        ordered += waiting
    return ordered
