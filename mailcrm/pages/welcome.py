"""The pages before sign-in: login, set-up of a new server, accepting an invitation."""

from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button, ink
from mailcrm.components.forms import NativeForm, error_line, field, text_input
from mailcrm.components.gate_fields import email_field, new_password_field
from mailcrm.components.icons import icon
from mailcrm.components.shell import logo
from mailcrm.state.i18n import LANGUAGES, I18nState, tr
from mailcrm.state.welcome import WelcomeState


def login() -> rx.Component:
    """Sign in."""
    return rx.el.main(
        rx.el.div(
            logo(),
            rx.el.h1(
                tr("Log in to {workspace}", workspace=WelcomeState.workspace),
                class_name="t5",
                style={"marginBlockStart": "14px"},
            ),
            rx.cond(
                WelcomeState.done == "reset",
                rx.el.p(
                    tr("Your new password is set. Log in with it."),
                    role="status",
                    style={"marginBlockStart": "12px"},
                    data_testid="login-done",
                ),
            ),
            NativeForm.create(
                email_field("login-email", auto_focus=True),
                field(
                    tr("Password"),
                    text_input(
                        "password",
                        big=True,
                        type="password",
                        auto_complete="current-password",
                        required=True,
                        data_testid="login-password",
                        custom_attrs={"aria-invalid": WelcomeState.wrong_field == "password"},
                    ),
                    rx.el.div(error_line(WelcomeState.wrong), data_testid="login-error"),
                    name="password",
                ),
                ink(tr("Log in"), type="submit", size="btn-lg btn-wide", data_testid="login-submit"),
                action=routes.AUTH_LOGIN,
                method="post",
            ),
            rx.el.p(
                rx.cond(
                    WelcomeState.mails,
                    rx.el.a(tr("Forgot password?"), href=routes.FORGOT, class_name="link", data_testid="login-forgot"),
                    rx.el.span(tr("Forgot your password? Ask whoever runs this server for a link."), class_name="hint"),
                ),
                style={"marginBlockStart": "16px"},
            ),
            class_name="gate-card",
        ),
        _languages(),
        class_name="gate",
    )


def setup() -> rx.Component:
    """Make the first administrator, or try the demo workspace."""
    return rx.el.div(
        rx.el.aside(
            rx.el.div(logo(), rx.el.span(tr("mailcrm"), class_name="t4"), class_name="row gap12"),
            rx.el.ol(
                _step("1", "done", tr("Check the server"), tr("Database and public address")),
                _step("2", "here", tr("Create your account"), tr("You’ll be the administrator")),
                _step("3", "", tr("Name the workspace"), tr("Currency, time zone, language")),
                _step("4", "", tr("Connect your email"), tr("Any IMAP and SMTP server")),
                class_name="first-steps",
            ),
            rx.el.div(class_name="grow"),
            _languages(),
            class_name="first-rail",
        ),
        rx.el.main(
            rx.el.div(
                rx.el.h1(tr("Create your account"), class_name="t6"),
                NativeForm.create(
                    _field(tr("Your name"), "name", WelcomeState.name, auto_complete="name", data_testid="setup-name"),
                    email_field("setup-email"),
                    new_password_field(tr("Password"), "setup-password"),
                    _field(
                        tr("Workspace"),
                        "workspace",
                        "",
                        placeholder=tr("Your company’s name"),
                        data_testid="setup-workspace",
                        required=False,
                    ),
                    rx.el.input(type="hidden", name="language", value=I18nState.language),
                    rx.el.input(
                        type="hidden", name="time_zone", default_value="", custom_attrs={"data-fill": "time-zone"}
                    ),
                    rx.el.div(error_line(WelcomeState.wrong), data_testid="setup-error"),
                    ink(tr("Create account"), type="submit", size="btn-lg btn-wide", data_testid="setup-submit"),
                    action=routes.AUTH_SETUP,
                    method="post",
                ),
                rx.el.p(tr("or"), class_name="or"),
                NativeForm.create(
                    button(
                        icon("flask-conical"),
                        tr("Try the demo workspace"),
                        look="line",
                        size="btn-lg btn-wide",
                        type="submit",
                        data_testid="setup-demo",
                    ),
                    action=routes.AUTH_DEMO,
                    method="post",
                ),
                rx.el.p(
                    tr(
                        "The demo comes with its own mail server, two mailboxes, deals and people. It needs no account of yours."
                    ),
                    class_name="hint",
                ),
                class_name="first-form",
            ),
            class_name="first-sheet",
        ),
        class_name="first",
    )


def invite() -> rx.Component:
    """Make the account of an invited colleague."""
    return rx.el.main(
        rx.el.div(
            logo(),
            rx.el.h1(
                tr("Join {workspace}", workspace=WelcomeState.workspace),
                class_name="t5",
                style={"marginBlockStart": "14px"},
            ),
            rx.cond(
                WelcomeState.wrong_field == "invite",
                rx.el.div(
                    error_line(WelcomeState.wrong), style={"marginBlockStart": "16px"}, data_testid="invite-error"
                ),
                NativeForm.create(
                    rx.el.input(type="hidden", name="token", value=WelcomeState.token),
                    _field(tr("Your name"), "name", WelcomeState.name, auto_complete="name", data_testid="invite-name"),
                    email_field("invite-email"),
                    new_password_field(tr("Password"), "invite-password", error_line(WelcomeState.wrong)),
                    ink(tr("Create account"), type="submit", size="btn-lg btn-wide", data_testid="invite-submit"),
                    action=routes.AUTH_INVITE,
                    method="post",
                ),
            ),
            class_name="gate-card",
        ),
        class_name="gate",
    )


def _field(label: Any, name: str, value: Any, **props: Any) -> rx.Component:
    props.setdefault("required", True)
    return field(
        label,
        text_input(name, big=True, default_value=value, key=value if isinstance(value, rx.Var) else name, **props),
        name=name,
    )


def _step(number: str, state: str, title: Any, text: Any) -> rx.Component:
    mark = icon("check", size=14) if state == "done" else number
    return rx.el.li(
        rx.el.span(mark, class_name="first-num", custom_attrs={"data-state": state}),
        rx.el.div(
            rx.el.p(title, class_name="b" if state else "b dim"), rx.el.p(text, class_name="t1 dim"), class_name="col"
        ),
        custom_attrs={"aria-current": "step"} if state == "here" else {},
    )


def _languages() -> rx.Component:
    return rx.el.div(
        *[
            rx.el.button(
                name,
                type="button",
                class_name="btn btn-ghost btn-sm",
                lang=code,
                on_click=WelcomeState.set_language(code),
            )
            for code, name in LANGUAGES.items()
        ],
        class_name="row",
        style={"justifyContent": "center"},
    )
