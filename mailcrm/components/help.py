"""Contextual help: a small "?" beside a word that is hard, and what the word means in two or three sentences.

A button with a popover, so it is reached with Tab, opened with Enter and closed with Escape, and works by touch. Texts say
what something does for its reader, not how it is built.
"""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr


def _texts() -> dict[str, tuple[rx.Var[str], rx.Var[str]]]:
    return {
        "certainty": (
            tr("How sure is an open?"),
            tr(
                "An open is counted when a program fetches a hidden picture. Scanners and programs that fetch before anybody "
                "looks are left out, and with several recipients nobody can tell who it was. A click is surer."
            ),
        ),
        "visibility": (
            tr("Private and shared"),
            tr(
                "Private: nobody else can read it, not even an administrator. Shared: colleagues read it where it is linked "
                "to a person or a deal that they may see. You can change it at any time."
            ),
        ),
        "ledger": (
            tr("What the ledger counts"),
            tr(
                "Each email on the server is in exactly one column: stored here, skipped on purpose, set aside because it "
                "could not be read, or still to be fetched. So the columns add up, and nothing gets lost unseen."
            ),
        ),
        "smart-bcc": (
            tr("What Smart Bcc is for"),
            tr(
                "Put this address in Bcc when you write in another program: the email is kept here with its deal or lead. "
                "Only email from your own confirmed addresses is taken, so keep the address to yourself."
            ),
        ),
        "consent": (
            tr("Tracking consent"),
            tr(
                "Whether this person agreed that you see when your emails are opened. Who refused is never tracked, "
                "whatever the composer says; what happens without an answer is set for the workspace."
            ),
        ),
    }


def help_mark(name: str) -> rx.Component:
    """Return the "?" for one of the texts: certainty, visibility, ledger, smart-bcc, consent."""
    title, text = _texts()[name]
    return rx.popover.root(
        rx.popover.trigger(
            rx.el.button(
                icon("circle-help", size=14),
                type="button",
                class_name="icon-btn icon-sm help-mark",
                title=title,
                aria_label=title,
                data_testid=f"help-{name}",
            )
        ),
        rx.popover.content(
            rx.el.h3(title, class_name="t2 b"),
            rx.el.p(text, class_name="t2"),
            class_name="pop help-pop",
            side="bottom",
            align="start",
            aria_label=title,
            data_testid="help-text",
        ),
    )
