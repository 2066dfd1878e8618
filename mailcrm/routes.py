"""URLs and their builders: the one place that spells a path.

Builders take ids and return paths on this server; they check nothing.
"""

from __future__ import annotations

ROOT = "/"
INBOX = "/inbox"
DRAFTS = "/drafts"
OUTBOX = "/outbox"
SENT = "/sent"
ARCHIVE = "/archive"
THREAD = "/thread/[thread_arg]"
DEALS = "/deals"
DEAL = "/deal/[deal_arg]"
PEOPLE = "/people"
PERSON = "/person/[person_arg]"
SETTINGS = "/settings"
SETTINGS_SYNC = "/settings/email-sync"
SETTINGS_PEOPLE = "/settings/people"
SETTINGS_PROFILE = "/settings/profile"
LOGIN = "/login"
SETUP = "/setup"
INVITE = "/invite/[invite_arg]"

AUTH_LOGIN = "/auth/login"
AUTH_LOGOUT = "/auth/logout"
AUTH_SETUP = "/auth/setup"
AUTH_DEMO = "/auth/demo"
AUTH_INVITE = "/auth/invite"

FOLDERS = {"inbox": INBOX, "drafts": DRAFTS, "outbox": OUTBOX, "sent": SENT, "archive": ARCHIVE}


def thread(thread_id: int) -> str:
    """The page of a conversation."""
    return f"/thread/{thread_id}"


def deal(deal_id: int) -> str:
    """The page of a deal."""
    return f"/deal/{deal_id}"


def person(person_id: int) -> str:
    """The page of a person."""
    return f"/person/{person_id}"


def invite(token: str) -> str:
    """The page on which a colleague accepts an invitation."""
    return f"/invite/{token}"


def message_body(message_id: int, *, remote: bool = False) -> str:
    """The cleaned HTML of a message, for a frame; `remote` allows its images from the network."""
    return f"/m/{message_id}/body" + ("?remote=1" if remote else "")


def attachment(message_id: int, number: int) -> str:
    """The download of a message's attachment."""
    return f"/m/{message_id}/attachments/{number}"


def attached_message(message_id: int, number: int) -> str:
    """The page that shows an email attached to another one."""
    return f"/m/{message_id}/attachments/{number}/message"


def quarantined(item_id: int) -> str:
    """The download of a message that could not be read."""
    return f"/quarantine/{item_id}/raw"
