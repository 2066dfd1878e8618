"""The drop mailbox of the Smart Bcc page: what is connected, or the form that connects one. For administrators."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.dialogs import question
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import option
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.smart_bcc_drop import DropState

STATE = DropState


def drop_mailbox() -> rx.Component:
    """Return the section."""
    return rx.fragment(
        option(
            tr("Drop mailbox"),
            tr("A mailbox of the workspace’s own that Smart Bcc email comes to, for those without a mail domain."),
            rx.cond(
                STATE.loaded,
                rx.cond(
                    STATE.open,
                    _form(),
                    rx.cond(
                        STATE.address != "",
                        _connected(),
                        rx.el.div(
                            button(tr("Connect a drop mailbox"), on_click=STATE.show(True), data_testid="drop-connect")
                        ),
                    ),
                ),
                bones(1),
            ),
        ),
        question(
            open_when=STATE.asking,
            on_open_change=STATE.ask,
            title=tr("Take the drop mailbox away?"),
            text=tr(
                "Email to its addresses does not come here any more. What came stays. Nothing changes in the mailbox."
            ),
            label=tr("Take away"),
            on_confirm=STATE.remove,
            testid="drop-remove-confirm",
        ),
    )


def _connected() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.span(STATE.address, class_name="b cut", dir="ltr", data_testid="drop-address"),
            rx.el.span(
                rx.cond(STATE.seen != "", tr("{host} · read {when}", host=STATE.host, when=STATE.seen), STATE.host),
                class_name="t1 dim num",
            ),
            class_name="col grow",
        ),
        button(tr("Change"), on_click=STATE.show(True), data_testid="drop-change"),
        button(tr("Take away"), look="ghost", on_click=STATE.ask(True), data_testid="drop-remove"),
        rx.cond(
            STATE.trouble != "",
            rx.el.p(
                icon("triangle-alert", size=14),
                rx.el.span(STATE.trouble),
                class_name="wrong mailbox-error",
                role="alert",
            ),
        ),
        class_name="row drop-row",
    )


def _form() -> rx.Component:
    return rx.el.form(
        rx.el.p(
            tr("No person’s email should lie in it: everything that comes to it from now on is read."), class_name="dim"
        ),
        field(
            tr("Address"),
            text_input(
                "drop_address",
                default_value=STATE.address,
                auto_complete="off",
                dir="ltr",
                data_testid="drop-address-input",
            ),
            name="drop_address",
        ),
        field(
            tr("Which addresses lead to it"),
            choice(
                "drop_kind",
                [("plus", tr("Plus-addresses: name+…@domain")), ("catch_all", tr("Every address of its domain"))],
                data_testid="drop-kind",
            ),
            name="drop_kind",
        ),
        rx.el.div(
            field(
                tr("IMAP server"),
                text_input(
                    "drop_host", default_value=STATE.host, auto_complete="off", dir="ltr", data_testid="drop-host"
                ),
                name="drop_host",
            ),
            field(
                tr("Port"),
                text_input("drop_port", default_value="993", input_mode="numeric", dir="ltr", data_testid="drop-port"),
                name="drop_port",
            ),
            field(
                tr("Security"),
                choice(
                    "drop_security",
                    [("ssl", "TLS"), ("starttls", "STARTTLS"), ("none", tr("None (this machine only)"))],
                    data_testid="drop-security",
                ),
                name="drop_security",
            ),
            class_name="row gap12 drop-server",
        ),
        field(
            tr("User name, if it is not the address"),
            text_input("drop_username", auto_complete="off", dir="ltr", data_testid="drop-username"),
            name="drop_username",
        ),
        field(
            tr("Password or app password"),
            text_input("drop_password", type="password", auto_complete="off", data_testid="drop-password"),
            name="drop_password",
        ),
        error_line(STATE.wrong),
        rx.el.div(
            button(
                rx.cond(STATE.trying, tr("Connecting …"), tr("Connect")),
                look="ink",
                type="submit",
                disabled=STATE.trying,
                data_testid="drop-save",
            ),
            button(tr("Cancel"), look="ghost", on_click=STATE.show(False)),
            class_name="row",
        ),
        on_submit=STATE.connect,
        class_name="col gap12",
    )
