"""To, Cc and Bcc as chips: composer_recipients.jsx beside this file does the work. No state of ours takes part in typing."""

from typing import Any

import reflex as rx

from mailcrm.components.beside import beside
from mailcrm.state.i18n import tr

_ASSET = beside("composer_recipients.jsx")
beside("composer_addresses.js")
beside("composer_lost.js")


class Recipients(rx.NoSSRComponent):
    """The three rows; uncontrolled, so give it a new `key` for another draft."""

    library = f"$/public{_ASSET}"
    tag = "Recipients"

    draft: rx.Var[int]
    to: rx.Var[str]
    cc: rx.Var[str]
    bcc: rx.Var[str]
    labels: rx.Var[dict[str, str]]
    #: Names or addresses that must not be tracked (T09).
    refused: rx.Var[list[str]]
    autofocus: rx.Var[bool]
    on_change: rx.EventHandler[rx.event.passthrough_event_spec(str, str)]


def recipients(
    draft: Any, to: Any, cc: Any, bcc: Any, on_change: Any, *, key: Any, refused: Any, autofocus: Any
) -> rx.Component:
    """Return the rows; `on_change` takes "to", "cc", "bcc" and the whole list as typed, or the form's "subject".

    It is called after each pause of typing, and a second after it began at the latest.
    """
    labels = {
        "to": tr("To"),
        "cc": tr("Cc"),
        "bcc": tr("Bcc"),
        "added": tr("{names} added"),
        "taken": tr("{name} taken off"),
        "moved": tr("{name} moved to {role}"),
        "twice": tr("{n} were there already"),
        "take": tr("Take {name} off"),
        "edit": tr("Edit"),
        "move": tr("Move to {role}"),
        "remove": tr("Remove"),
        "more": tr("{n} more"),
        "refused": tr("did not agree to tracking"),
        "no_at": tr("an address has an @"),
        "no_name": tr("something is missing before the @"),
        "no_domain": tr("something is missing after the @"),
        "space": tr("an address has no spaces"),
        "bad_name": tr("this is no email address"),
        "bad_domain": tr("there is a mistake after the @"),
    }
    return Recipients.create(
        draft=draft, to=to, cc=cc, bcc=bcc, labels=labels, refused=refused, autofocus=autofocus, on_change=on_change,
        key=key,
    )  # fmt: skip
