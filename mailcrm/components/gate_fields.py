"""The fields that the pages before sign-in share: an email address, and a password that is made."""

from typing import Any

import reflex as rx

from mailcrm.components.forms import field, text_input
from mailcrm.state.i18n import tr
from mailcrm.state.welcome import WelcomeState


def email_field(testid: str, *below: rx.Component, **props: Any) -> rx.Component:
    """The address that somebody signs in with; what was typed before a refusal stands in it."""
    control = text_input(
        "email",
        big=True,
        type="email",
        auto_complete="username",
        default_value=WelcomeState.email,
        key=WelcomeState.email,
        required=True,
        data_testid=testid,
        **props,
    )
    return field(tr("Email"), control, *below, name="email")


def new_password_field(label: Any, testid: str, *below: rx.Component, **props: Any) -> rx.Component:
    """A password that is chosen here."""
    control = text_input(
        "password",
        big=True,
        type="password",
        auto_complete="new-password",
        required=True,
        min_length=10,
        data_testid=testid,
        **props,
    )
    hint = rx.el.p(tr("At least 10 characters. A phrase works well."), class_name="hint")
    return field(label, control, hint, *below, name="password")
