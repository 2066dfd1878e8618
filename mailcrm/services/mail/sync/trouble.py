"""What is wrong with a mailbox's sync, in one plain sentence and one button: the table of every error code (sync.md A4).

| kind       | who can end it                     | what mailcrm does meanwhile                        |
|------------|------------------------------------|----------------------------------------------------|
| reconnect  | the user: signs in again           | tries three times, or once if it is sure, then stops |
| throttled  | time: the server says how much     | waits as long as it was told, else longer each time |
| network    | time, or whoever runs the network  | tries again, longer apart each time                |
| server     | the user's or the provider's settings, or the server's operator | the same                |
| message    | nobody has to: the rest goes on    | keeps the message in quarantine                    |
| bug        | us                                 | tries again; the log says why                      |

A sentence says what happened, then what to do or when the next try is: the time is the one in the row, never a
promise. Does not decide when that is (outcome.py) and reads no server's prose (imap/failures.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mailcrm.models.base import utcnow
from mailcrm.services import i18n
from mailcrm.services.i18n import N_

Kind = Literal["reconnect", "throttled", "network", "server", "message", "bug"]
Button = Literal["reconnect", "retry", "wait", "open_settings", "open_quarantine", "report"]

#: Every code that a mailbox's or a folder's row may keep. A test holds that none is missing.
TABLE: dict[str, tuple[Kind, Button]] = {
    "imap.wrong_password": ("reconnect", "reconnect"),
    "imap.app_password": ("reconnect", "reconnect"),
    "imap.web_sign_in": ("reconnect", "reconnect"),
    "imap.oauth_only": ("reconnect", "reconnect"),
    "imap.wrong_or_off": ("reconnect", "reconnect"),
    "imap.disabled": ("reconnect", "reconnect"),
    "secret.unreadable": ("reconnect", "reconnect"),
    "oauth.revoked": ("reconnect", "reconnect"),
    "oauth.token_refused": ("reconnect", "reconnect"),
    "oauth.unavailable": ("network", "retry"),
    "oauth.busy": ("network", "retry"),
    "oauth.client": ("server", "retry"),
    "oauth.redirect": ("server", "retry"),
    "oauth.not_set_up": ("server", "retry"),
    "oauth.no_mechanism": ("server", "open_settings"),
    "imap.throttled": ("throttled", "wait"),
    "imap.unavailable": ("network", "retry"),
    "server.lost": ("network", "retry"),
    "server.refused": ("network", "retry"),
    "server.timeout": ("network", "retry"),
    "server.unknown_host": ("network", "retry"),
    "server.unreachable": ("network", "retry"),
    "imap.folder_missing": ("server", "retry"),
    "imap.refused": ("server", "retry"),
    "server.protocol": ("server", "retry"),
    "server.bad_text": ("server", "open_settings"),
    "server.certificate_expired": ("server", "retry"),
    "server.certificate_name": ("server", "open_settings"),
    "server.certificate_untrusted": ("server", "retry"),
    "server.clear_text": ("server", "open_settings"),
    "server.no_starttls": ("server", "open_settings"),
    "server.plain_to_tls": ("server", "open_settings"),
    "server.private": ("server", "open_settings"),
    "server.tls": ("server", "retry"),
    "server.tls_to_plain": ("server", "open_settings"),
    "sync.doubt_count": ("server", "retry"),
    "sync.doubt_empty": ("server", "retry"),
    "sync.doubt_mass": ("server", "retry"),
    "sync.bad_messages": ("message", "open_quarantine"),
    "sync.disk_full": ("bug", "retry"),
    "sync.broke": ("bug", "report"),
    "internal": ("bug", "report"),
}

#: What happened, where the error's own sentence ends in a promise that only the row can make.
_WHAT: dict[str, str] = {
    "imap.throttled": N_("{host} asks to slow down."),
    "imap.unavailable": N_("{host} is not available for now: “{answer}”."),
    "imap.folder_missing": N_("The folder “{folder}” can’t be opened on the server."),
    "imap.refused": N_("{host} refused a command: “{answer}”."),
    "oauth.unavailable": N_("{provider} can’t be reached to renew the sign-in."),
    "oauth.busy": N_("The sign-in at {provider} is being renewed."),
    "server.lost": N_("{host} closed the connection."),
    "server.timeout": N_("{host} did not answer on port {port} in time."),
    "server.unreachable": N_("{host} can’t be reached on port {port}."),
    "server.protocol": N_("{host} gave an answer that makes no sense on port {port}."),
    "sync.broke": N_("Syncing failed on our side; the server’s log says why."),
}

_LABELS: dict[Button, str] = {
    "reconnect": N_("Reconnect"),
    "retry": N_("Try now"),
    "wait": N_("Try anyway"),
    "open_settings": N_("Change settings"),
    "open_quarantine": N_("See the messages"),
    "report": N_("Copy details"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong: its kind, the sentence to show, and the one button with its label."""

    kind: Kind
    sentence: str
    button: Button
    label: str


def explain(
    code: str,
    params: Mapping[str, object],
    language: str,
    *,
    next_try_at: datetime | None = None,
    time_zone: str = "UTC",
    now: datetime | None = None,
) -> Trouble:
    """Explain the error that a mailbox's or folder's row keeps; a code nobody knows is a bug of ours.

    `next_try_at` is the row's; None says nothing about another try (paused, stopped, or a folder's error, which is
    looked at with every pass). `now` is for tests. For messages in quarantine give `sync.bad_messages` and `count`.
    """
    kind, button = TABLE.get(code, TABLE["internal"])
    words = _what(code if code in TABLE else "internal", params, language)
    if next_try_at is not None:
        words += " " + _next_try(next_try_at, now or utcnow(), language, time_zone)
    return Trouble(kind, words, button, i18n.gettext(language, _LABELS[button]))


def _what(code: str, params: Mapping[str, object], language: str) -> str:
    if code == "sync.bad_messages":
        count = params.get("count")
        return i18n.ngettext(
            language,
            "One message could not be stored; it is set aside.",
            "{n} messages could not be stored; they are set aside.",
            count if isinstance(count, int) else 1,
        )
    short = _WHAT.get(code)
    if short is not None:
        try:
            return i18n.gettext(language, short).format(**params)
        except (KeyError, IndexError, ValueError):
            pass  # a row of an older version: its parameters are others
    return i18n.kept_sentence(code, params, language)


def _next_try(when: datetime, now: datetime, language: str, time_zone: str) -> str:
    if when <= now:
        return i18n.gettext(language, "It is tried again now.")
    return i18n.gettext(language, "The next try is at {time}.", time=i18n.clock(language, when, i18n.zone(time_zone)))
