"""Settings › Account and security: the password, two-step sign-in, and where one is signed in."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog, question
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, settings_page, tick
from mailcrm.components.states import bones
from mailcrm.state.account import AccountState, SessionRow
from mailcrm.state.i18n import tr


def settings_account() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(AccountState.loaded, rx.fragment(_sessions(), _second(), _password()), bones(4)),
        _dialog(),
        question(
            open_when=AccountState.asking,
            on_open_change=AccountState.ask_end_others,
            title=tr("Sign out everywhere else?"),
            text=tr("Every other browser is signed out at once and has to sign in again. This one stays signed in."),
            label=tr("Sign out everywhere else"),
            on_confirm=AccountState.end_others,
            testid="sessions-end-confirm",
        ),
        here="account",
        title=tr("Account and security"),
    )


def _sessions() -> rx.Component:
    return option(
        tr("Where you’re signed in"),
        tr("If you don’t know one of them, sign it out and change your password."),
        rx.el.ul(rx.foreach(AccountState.rows, _session), class_name="people-rows", data_testid="session-list"),
        rx.cond(
            AccountState.others,
            rx.el.div(
                button(
                    icon("log-out"),
                    tr("Sign out everywhere else"),
                    on_click=AccountState.ask_end_others(True),
                    data_testid="sessions-end",
                )
            ),
        ),
    )


def _session(row: rx.Var[SessionRow]) -> rx.Component:
    return rx.el.li(
        rx.cond(row.mobile, icon("smartphone"), icon("monitor")),
        rx.el.div(
            rx.el.span(
                rx.el.span(row.device, class_name="b cut"),
                rx.cond(row.here, rx.el.span(tr("This browser"), class_name="chip")),
                class_name="row gap6",
            ),
            rx.el.span(
                tr("Signed in: {when}", when=row.since),
                rx.cond(~row.here, rx.fragment(" · ", tr("Last seen: {when}", when=row.seen))),
                rx.cond(row.network != "", rx.fragment(" · ", rx.el.bdi(row.network))),
                class_name="t1 dim",
            ),
            class_name="col grow",
        ),
        rx.cond(
            row.here,
            rx.el.span(class_name="icon-gap"),
            icon_button(
                "log-out",
                tr("Sign out {name}", name=row.device),
                on_click=AccountState.end(row.handle),
                data_testid="session-end",
            ),
        ),
        class_name="people-row",
        data_testid="session-row",
        custom_attrs={"data-here": row.here},
        key=row.handle,
    )


def _second() -> rx.Component:
    return option(
        tr("Two-step sign-in"),
        tr("A code from an app on your phone, after the password. API tokens don’t need it."),
        rx.cond(
            AccountState.second_on,
            rx.fragment(
                rx.el.p(
                    icon("shield-check"),
                    tr("On. Recovery codes left: {n}", n=AccountState.codes_left),
                    class_name="row gap6",
                    data_testid="second-state",
                ),
                rx.el.div(
                    button(tr("New recovery codes"), on_click=AccountState.show("renew"), data_testid="second-renew"),
                    button(tr("Switch off"), on_click=AccountState.show("off"), data_testid="second-off"),
                    class_name="row gap6 wrap",
                ),
            ),
            rx.fragment(
                rx.el.p(tr("Off. The password alone signs in."), data_testid="second-state"),
                rx.el.div(
                    button(
                        icon("smartphone"),
                        tr("Set up"),
                        on_click=AccountState.show("begin"),
                        data_testid="second-begin",
                    )
                ),
            ),
        ),
    )


def _password() -> rx.Component:
    return option(
        tr("Password"),
        tr("Changing it signs out every other browser."),
        rx.el.form(
            _secret_field(
                "current_password", tr("Current password"), "current-password", key=AccountState.key, min_length=1
            ),
            _secret_field(
                "new_password",
                tr("New password"),
                "new-password",
                rx.el.p(tr("At least 10 characters. A phrase works well."), class_name="hint"),
                key=AccountState.key,
                min_length=10,
            ),
            error_line(AccountState.wrong),
            rx.el.div(
                button(tr("Change password"), type="submit", data_testid="password-change"),
                tick(AccountState.saved == "password"),
                class_name="row gap12",
            ),
            on_submit=AccountState.change_password,
            class_name="col gap12 profile-control",
        ),
    )


def _secret_field(name: str, label: Any, kind: str, *below: rx.Component, **props: Any) -> rx.Component:
    control = text_input(
        name, type="password", auto_complete=kind, required=True, data_testid=name.replace("_", "-"), **props
    )
    return field(label, control, *below, name=name)


def _dialog() -> rx.Component:
    return form_dialog(
        rx.match(
            AccountState.doing,
            ("confirm", _scan()),
            ("codes", _codes()),
            rx.el.form(
                _secret_field("proof", tr("Password"), "current-password", auto_focus=True),
                error_line(AccountState.second_wrong),
                dialog_actions(
                    rx.match(
                        AccountState.doing,
                        ("off", tr("Switch off")),
                        ("renew", tr("New recovery codes")),
                        tr("Continue"),
                    ),
                    "proof-submit",
                ),
                on_submit=AccountState.prove,
                class_name="col gap12",
            ),
        ),
        open_when=AccountState.doing != "",
        on_open_change=AccountState.close,
        title=rx.match(
            AccountState.doing,
            ("off", tr("Switch off two-step sign-in")),
            ("renew", tr("New recovery codes")),
            ("codes", tr("Recovery codes")),
            tr("Set up two-step sign-in"),
        ),
        text=rx.match(
            AccountState.doing,
            ("confirm", tr("Scan the picture with an authenticator app, then enter the code that it shows.")),
            (
                "codes",
                tr(
                    "Each signs you in once when your phone is gone. Keep them somewhere safe: they are not shown again."
                ),
            ),
            ("renew", tr("The codes you have stop working. Enter your password to go on.")),
            ("off", tr("The password alone will sign in. Enter it to go on.")),
            tr("Enter your password to go on."),
        ),
    )


def _scan() -> rx.Component:
    return rx.el.form(
        rx.el.img(src=AccountState.picture, alt=tr("QR code for an authenticator app"), class_name="qr"),
        rx.el.p(tr("Or type this key into the app:"), class_name="hint"),
        rx.el.p(AccountState.secret, class_name="mono", dir="ltr", data_testid="second-secret"),
        field(
            tr("Code"),
            text_input(
                "first_code",
                auto_complete="one-time-code",
                input_mode="numeric",
                max_length=12,
                required=True,
                auto_focus=True,
                data_testid="first-code",
            ),
            name="first_code",
        ),
        error_line(AccountState.second_wrong),
        dialog_actions(tr("Switch on"), "second-confirm"),
        on_submit=AccountState.confirm,
        class_name="col gap12",
    )


def _codes() -> rx.Component:
    return rx.el.div(
        rx.el.ul(
            rx.foreach(AccountState.codes, lambda code: rx.el.li(code, key=code)),
            class_name="mono recovery-codes",
            dir="ltr",
            data_testid="recovery-codes",
        ),
        rx.el.div(
            button(
                icon("copy"),
                tr("Copy"),
                on_click=[rx.set_clipboard(AccountState.codes.join("\n")), AccountState.copied],
                data_testid="codes-copy",
            ),
            button(tr("Done"), look="ink", on_click=AccountState.close(False), data_testid="codes-done"),
            class_name="dlg-actions",
        ),
        class_name="col gap12",
    )
