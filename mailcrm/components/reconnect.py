"""A mailbox that needs its user: the banner above every page, and the form in the settings (M10)."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import option
from mailcrm.state.i18n import tr
from mailcrm.state.reconnect import Out, ReconnectState
from mailcrm.state.settings import MailboxesState


def sign_in_again() -> rx.Component:
    """Return the form for the chosen mailbox: at its provider, with a new password, or with what is stored."""
    return option(
        tr("Sign in again"),
        tr("The mail server no longer lets mailcrm in. Sync goes on where it was once it does."),
        rx.foreach(ReconnectState.outs, _provider),
        rx.cond(~_by_provider(), _password()),
        rx.el.div(
            button(
                rx.cond(ReconnectState.trying, icon("loader-circle", cls="spin"), icon("refresh-cw")),
                tr("Try again with what is stored"),
                on_click=ReconnectState.try_again(MailboxesState.chosen.id),
                disabled=ReconnectState.trying,
                data_testid="mailbox-try-again",
            ),
        ),
        error_line(ReconnectState.wrong),
    )


def _by_provider() -> rx.Var[bool]:
    return MailboxesState.chosen.auth != "password"


def _provider(out: rx.Var[Out]) -> rx.Component:
    return rx.cond(
        (out.id == MailboxesState.chosen.id) & (out.provider != ""),
        rx.el.a(
            icon("log-in"),
            rx.cond(out.provider == "google", tr("Sign in with Google"), tr("Sign in with Microsoft")),
            href=out.url,
            class_name="btn btn-ink",
            reload_document=True,
            data_testid="mailbox-reconnect-provider",
        ),
    )


def _password() -> rx.Component:
    return rx.el.form(
        field(
            tr("Password or app password"),
            text_input("new_password", type="password", auto_complete="off", data_testid="mailbox-new-password"),
            name="new_password",
        ),
        error_line(MailboxesState.wrong),
        rx.el.div(button(tr("Sign in again"), look="ink", type="submit", data_testid="mailbox-reconnect")),
        on_submit=MailboxesState.sign_in_again,
        reset_on_submit=True,
        class_name="col gap12",
        id="reconnect",
    )
