"""The form that connects a mailbox by hand: the address first, then its servers, then the live test."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.state.connect import ConnectState, TestStep
from mailcrm.state.i18n import tr


def connect_form(*, can_close: rx.Var[bool]) -> rx.Component:
    """Return the form; the cross shows when there is a mailbox to go back to."""
    return rx.el.section(
        rx.cond(ConnectState.stage == "address", _address(can_close), _servers()),
        class_name="connect",
        aria_label=tr("Connect a mailbox"),
    )


def _address(can_close: rx.Var[bool]) -> rx.Component:
    return rx.fragment(
        rx.el.div(
            rx.el.h3(tr("What’s your work email?"), class_name="t6 grow"),
            rx.cond(can_close, icon_button("x", tr("Close"), on_click=ConnectState.show(False))),
            class_name="row",
        ),
        rx.el.form(
            rx.el.label(
                icon("at-sign", cls="dim"),
                rx.el.span(tr("Email address"), class_name="sr"),
                rx.el.input(
                    id="mailbox_address",
                    name="mailbox_address",
                    type="text",
                    inputmode="email",
                    auto_complete="email",
                    spell_check=False,
                    default_value=ConnectState.address,
                    placeholder=tr("name@company.com"),
                    auto_focus=True,
                    data_testid="mailbox-address",
                ),
                class_name="input input-lg at-input",
            ),
            button(tr("Continue"), look="ink", size="btn-lg", type="submit", data_testid="mailbox-start"),
            on_submit=ConnectState.start,
            class_name="row connect-row",
        ),
        error_line(ConnectState.wrong),
        rx.el.ul(
            _promise("lock-keyhole", tr("Passwords are encrypted and stay on your server.")),
            _promise("eye-off", tr("New email starts private until you choose otherwise.")),
            _promise("unplug", tr("Disconnect any time. Email in your mailbox is never touched.")),
            class_name="promises",
        ),
    )


def _promise(name: str, text: rx.Var[str]) -> rx.Component:
    return rx.el.li(icon(name, cls="dim"), rx.el.span(text, class_name="dim"))


def _servers() -> rx.Component:
    return rx.fragment(
        rx.el.div(
            icon_button("arrow-left", tr("Back to the address"), on_click=ConnectState.back),
            rx.el.h3(ConnectState.address, class_name="t4 cut", dir="auto"),
            class_name="row",
        ),
        rx.el.p(
            tr("These servers are a guess from the address. Your mail provider’s help pages list the right ones."),
            class_name="dim",
        ),
        rx.el.form(
            _server("imap", tr("Incoming mail (IMAP)"), ConnectState.imap_host, "993"),
            _server("smtp", tr("Outgoing mail (SMTP)"), ConnectState.smtp_host, "465"),
            rx.el.fieldset(
                rx.el.legend(tr("Sign-in"), class_name="b"),
                rx.el.div(
                    field(
                        tr("User name"),
                        text_input(
                            "mailbox_username",
                            default_value=ConnectState.address,
                            auto_complete="off",
                            spell_check=False,
                            data_testid="mailbox-username",
                        ),
                        name="mailbox_username",
                    ),
                    field(
                        tr("Password or app password"),
                        text_input(
                            "mailbox_password", type="password", auto_complete="off", data_testid="mailbox-password"
                        ),
                        name="mailbox_password",
                    ),
                    class_name="grid2",
                ),
                class_name="fieldset",
            ),
            rx.cond(ConnectState.steps.length() > 0, _steps()),
            error_line(ConnectState.wrong),
            rx.el.div(
                button(
                    rx.cond(
                        ConnectState.testing,
                        rx.fragment(icon("loader-circle", cls="spin"), tr("Testing both servers")),
                        tr("Test and connect"),
                    ),
                    look="ink",
                    type="submit",
                    disabled=ConnectState.testing,
                    data_testid="mailbox-connect",
                ),
                rx.el.span(tr("Nothing is saved unless every step passes."), class_name="t1 dim"),
                class_name="row gap12",
            ),
            on_submit=ConnectState.connect,
            class_name="col gap16",
        ),
    )


def _server(kind: str, legend: rx.Var[str], host: rx.Var[str], port: str) -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend(legend, class_name="b"),
        rx.el.div(
            field(
                tr("Server"),
                text_input(
                    f"mailbox_{kind}_host",
                    default_value=host,
                    auto_complete="off",
                    spell_check=False,
                    data_testid=f"mailbox-{kind}-host",
                ),
                name=f"mailbox_{kind}_host",
            ),
            field(
                tr("Port"),
                text_input(
                    f"mailbox_{kind}_port",
                    default_value=port,
                    inputmode="numeric",
                    auto_complete="off",
                    data_testid=f"mailbox-{kind}-port",
                ),
                name=f"mailbox_{kind}_port",
            ),
            field(
                tr("Security"),
                choice(
                    f"mailbox_{kind}_security",
                    [("ssl", "SSL/TLS"), ("starttls", "STARTTLS"), ("none", tr("None (this machine only)"))],
                    default_value="ssl",
                    data_testid=f"mailbox-{kind}-security",
                ),
                name=f"mailbox_{kind}_security",
            ),
            class_name="grid3",
        ),
        class_name="fieldset",
    )


def _steps() -> rx.Component:
    return rx.el.ol(
        rx.foreach(ConnectState.steps, _step),
        class_name="steps-list card connect-steps",
        data_testid="mailbox-steps",
        custom_attrs={"aria-live": "polite"},
    )


def _step(step: rx.Var[TestStep]) -> rx.Component:
    return rx.el.li(
        rx.match(
            step.state,
            ("ok", icon("check", cls="step-ok")),
            ("bad", icon("x", cls="step-bad")),
            ("run", icon("loader-circle", cls="spin")),
            ("skip", icon("minus", cls="dim")),
            icon("circle-dashed", cls="dim"),
        ),
        rx.el.div(
            rx.el.span(step.label, class_name=rx.cond(step.state == "bad", "b step-bad", "b")),
            rx.cond(
                step.text != "",
                rx.el.span(step.text, class_name="dim", role=rx.cond(step.state == "bad", "alert", "none")),
            ),
            class_name="connect-step",
        ),
        custom_attrs={"data-step": step.name, "data-state": step.state},
        key=step.name,
    )
