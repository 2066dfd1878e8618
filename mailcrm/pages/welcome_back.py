"""The gate's pages for who can't just sign in: the second step's code, a forgotten password, and a new one."""

from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import ink
from mailcrm.components.forms import NativeForm, error_line, field, text_input
from mailcrm.components.gate_fields import email_field, new_password_field
from mailcrm.components.shell import logo
from mailcrm.state.i18n import tr
from mailcrm.state.welcome import WelcomeState


def login_code() -> rx.Component:
    """Ask for the code of the second step."""
    return _gate(
        tr("Enter your code"),
        rx.el.p(tr("Open your authenticator app, or use one of your recovery codes."), class_name="dim"),
        NativeForm.create(
            field(
                tr("Code"),
                text_input(
                    "code",
                    big=True,
                    auto_complete="one-time-code",
                    max_length=40,
                    required=True,
                    auto_focus=True,
                    data_testid="login-code",
                ),
                rx.el.div(error_line(WelcomeState.wrong), data_testid="code-error"),
                name="code",
            ),
            ink(tr("Log in"), type="submit", size="btn-lg btn-wide", data_testid="code-submit"),
            action=routes.AUTH_CODE,
            method="post",
        ),
        back=True,
    )


def forgot() -> rx.Component:
    """Ask for a link to a new password."""
    return _gate(
        tr("Forgot your password?"),
        rx.cond(
            WelcomeState.done == "asked",
            rx.el.p(
                tr("If that address has an account, a link is on its way. It works once, for an hour."),
                role="status",
                data_testid="forgot-done",
            ),
            rx.cond(
                WelcomeState.mails,
                NativeForm.create(
                    email_field(
                        "forgot-email",
                        rx.el.p(tr("We send a link that sets a new password."), class_name="hint"),
                        rx.el.div(error_line(WelcomeState.wrong), data_testid="forgot-error"),
                        auto_focus=True,
                    ),
                    ink(tr("Send the link"), type="submit", size="btn-lg btn-wide", data_testid="forgot-submit"),
                    action=routes.AUTH_FORGOT,
                    method="post",
                ),
                rx.el.p(tr("This server sends no email of its own. Ask whoever runs it for a link."), role="status"),
            ),
        ),
        back=True,
    )


def reset() -> rx.Component:
    """Set a new password with a link."""
    return _gate(
        tr("Set a new password"),
        rx.cond(
            WelcomeState.wrong_field == "link",
            rx.el.div(error_line(WelcomeState.wrong), style={"marginBlockStart": "16px"}, data_testid="reset-error"),
            NativeForm.create(
                rx.el.input(type="hidden", name="token", value=WelcomeState.token),
                rx.el.p(WelcomeState.email, class_name="b", dir="ltr", data_testid="reset-email"),
                # For password managers, which keep a password with its name.
                rx.el.input(type="hidden", name="username", value=WelcomeState.email, auto_complete="username"),
                new_password_field(
                    tr("New password"), "reset-password", error_line(WelcomeState.wrong), auto_focus=True
                ),
                rx.el.p(tr("You’re signed out everywhere, then sign in with it."), class_name="hint"),
                ink(tr("Set password"), type="submit", size="btn-lg btn-wide", data_testid="reset-submit"),
                action=routes.AUTH_RESET,
                method="post",
            ),
        ),
        back=True,
    )


def _gate(title: Any, *content: rx.Component, back: bool = False) -> rx.Component:
    return rx.el.main(
        rx.el.div(
            logo(),
            rx.el.h1(title, class_name="t5", style={"marginBlock": "14px 6px"}),
            *content,
            rx.el.p(
                rx.el.a(tr("Back to sign-in"), href=routes.LOGIN, class_name="link", data_testid="gate-back"),
                style={"marginBlockStart": "18px"},
            )
            if back
            else rx.fragment(),
            class_name="gate-card",
        ),
        class_name="gate",
    )
