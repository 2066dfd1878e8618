"""Connecting a mailbox (M09): the address and the providers to choose among, then signing in or a live test.

What is asked afterwards is connect_fresh.py.
"""

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.connect_progress import connect_progress, test_steps
from mailcrm.components.connect_servers import servers
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.state.connect import ConnectState, Tile
from mailcrm.state.i18n import tr

PAUSE_MS = 350  # of typing, before the address is looked at
CHOSEN = ConnectState.chosen


def connect_form(*, can_close: rx.Var[bool]) -> rx.Component:
    """Return the form; the cross shows when there is a mailbox to go back to."""
    return rx.el.section(
        rx.el.div(
            connect_progress(rx.cond(ConnectState.stage == "address", 1, 2)),
            rx.cond(can_close, icon_button("x", tr("Close"), on_click=ConnectState.show(False))),
            class_name="row connect-top",
        ),
        rx.cond(ConnectState.stage == "address", _address(), _sign_in()),
        class_name="connect",
        aria_label=tr("Connect a mailbox"),
    )


def _address() -> rx.Component:
    return rx.fragment(
        rx.el.h3(tr("What’s your work email?"), class_name="t6"),
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
                    on_change=lambda text: ConnectState.look(text).debounce(PAUSE_MS),
                    placeholder=tr("name@company.com"),
                    auto_focus=True,
                    data_testid="mailbox-address",
                ),
                class_name="input input-lg at-input",
            ),
            button(
                rx.cond(
                    (CHOSEN.name != "") & (ConnectState.hint != ""),
                    tr("Continue with {provider}", provider=CHOSEN.name),
                    tr("Continue"),
                ),
                look="ink",
                size="btn-lg",
                type="submit",
                data_testid="mailbox-start",
            ),
            on_submit=ConnectState.start,
            class_name="row connect-row",
        ),
        error_line(ConnectState.wrong),
        rx.el.p(
            rx.cond(
                ConnectState.looking,
                rx.fragment(icon("loader-circle", cls="spin"), rx.el.span(tr("Looking who hosts this address"))),
                rx.cond(
                    ConnectState.hint != "",
                    rx.fragment(
                        rx.cond(CHOSEN.name != "", icon("check", cls="step-ok"), icon("circle-help", cls="dim")),
                        rx.el.span(ConnectState.hint),
                    ),
                ),
            ),
            class_name="row gap6 dim connect-hint",
            role="status",
            data_testid="mailbox-recognised",
            custom_attrs={"data-provider": CHOSEN.key},
        ),
        rx.el.ul(
            rx.foreach(ConnectState.tiles, _tile),
            rx.el.li(
                rx.el.button(
                    rx.el.span(icon("server", size=16), class_name="tile-mark", custom_attrs={"data-hue": "gray"}),
                    rx.el.span(
                        rx.el.span(tr("Another provider"), class_name="b"),
                        rx.el.span(tr("Any IMAP and SMTP server with TLS"), class_name="dim t1"),
                        class_name="col grow",
                    ),
                    type="button",
                    class_name="tile",
                    on_click=ConnectState.pick("generic"),
                    data_testid="provider-tile",
                    custom_attrs={"data-provider": "generic"},
                ),
                class_name="tile-wide",
            ),
            class_name="tiles",
            aria_label=tr("Providers"),
        ),
        rx.el.ul(
            _promise("lock-keyhole", tr("Passwords and tokens are encrypted and stay on your server.")),
            _promise("eye-off", tr("New email starts private until you choose otherwise.")),
            _promise("unplug", tr("Disconnect any time. Email in your mailbox is never touched.")),
            class_name="promises",
        ),
    )


def _tile(tile: rx.Var[Tile]) -> rx.Component:
    chosen = CHOSEN.key == tile.key
    return rx.el.li(
        rx.el.button(
            rx.el.span(tile.mark, class_name="tile-mark", custom_attrs={"data-hue": tile.hue}, aria_hidden="true"),
            rx.el.span(
                rx.el.span(tile.name, class_name="b cut"),
                rx.el.span(_kind(tile.kind), class_name="dim t1 cut"),
                class_name="col grow",
            ),
            rx.cond(chosen, icon("check")),
            type="button",
            class_name="tile",
            on_click=ConnectState.pick(tile.key),
            aria_pressed=chosen,
            data_testid="provider-tile",
            custom_attrs={"data-provider": tile.key},
        ),
        key=tile.key,
    )


def _kind(kind: rx.Var[str]) -> rx.Component:
    return rx.match(
        kind,
        ("google", tr("Sign in")),
        ("microsoft", tr("Sign in")),
        ("app_password", tr("App password")),
        ("code", tr("Authorisation code")),
        tr("Password"),
    )


def _promise(name: str, text: rx.Var[str]) -> rx.Component:
    return rx.el.li(icon(name, cls="dim"), rx.el.span(text, class_name="dim"))


def _sign_in() -> rx.Component:
    return rx.fragment(
        rx.el.div(
            icon_button("arrow-left", tr("Back to the address"), on_click=ConnectState.back),
            rx.el.h3(ConnectState.address, class_name="t4 cut", dir="auto"),
            rx.cond(CHOSEN.name != "", rx.el.span(CHOSEN.title, class_name="dim cut")),
            class_name="row",
        ),
        rx.cond(CHOSEN.signs_in_at != "", _at_provider()),
        rx.cond((CHOSEN.secret_kind != "") | ConnectState.by_hand, _other_way()),
        rx.cond((CHOSEN.secret_kind == "") & ~ConnectState.by_hand, error_line(ConnectState.wrong)),
    )


def _at_provider() -> rx.Component:
    return rx.el.form(
        rx.cond(
            CHOSEN.can_sign_in,
            rx.fragment(
                rx.el.p(
                    tr("You sign in on your provider’s own page and come back here. mailcrm never sees your password."),
                    class_name="dim",
                ),
                field(tr("How far back"), _history("there_history"), name="there_history"),
                rx.el.div(
                    button(
                        rx.cond(
                            CHOSEN.signs_in_at == "google", tr("Sign in with Google"), tr("Sign in with Microsoft")
                        ),
                        look="ink",
                        size="btn-lg",
                        type="submit",
                        data_testid="mailbox-sign-in",
                    )
                ),
            ),
            rx.el.div(
                icon("info"),
                rx.el.p(
                    rx.cond(
                        CHOSEN.signs_in_at == "google",
                        tr(
                            "Signing in with Google is not set up on this server. Its administrator registers an app at "
                            "Google and sets MAILCRM_GOOGLE_CLIENT_ID and MAILCRM_GOOGLE_CLIENT_SECRET: docs/oauth.md "
                            "shows every step. Until then, use an app password."
                        ),
                        tr(
                            "Signing in with Microsoft is not set up on this server, and Microsoft takes no passwords. "
                            "Its administrator registers an app at Microsoft and sets MAILCRM_MICROSOFT_CLIENT_ID and "
                            "MAILCRM_MICROSOFT_CLIENT_SECRET: docs/oauth.md shows every step."
                        ),
                    ),
                    class_name="grow",
                ),
                class_name="note",
                data_testid="mailbox-sign-in-missing",
            ),
        ),
        on_submit=ConnectState.sign_in_there,
        class_name="col gap12",
    )


def _history(name: str) -> rx.Component:
    return choice(
        name,
        [
            ("all", tr("Everything")),
            ("730", tr("24 months")),
            ("365", tr("12 months")),
            ("180", tr("6 months")),
            ("90", tr("3 months")),
            ("30", tr("1 month")),
        ],
        default_value="all",
        form_name="mailbox_history",
    )


def _guide() -> rx.Component:
    return rx.el.div(
        rx.el.ol(
            rx.foreach(
                CHOSEN.steps, lambda step, n: rx.el.li(rx.el.span(n + 1, class_name="step-no num"), rx.el.span(step))
            ),
            class_name="guide",
        ),
        rx.cond(
            CHOSEN.secret_url != "",
            rx.el.a(
                rx.match(
                    CHOSEN.secret_kind,
                    ("app_password", tr("Make an app password")),
                    ("code", tr("Get the authorisation code")),
                    tr("Open the provider’s settings"),
                ),
                icon("external-link", size=14),
                href=CHOSEN.secret_url,
                target="_blank",
                rel="noreferrer",
                class_name="btn btn-soft",
                data_testid="mailbox-secret-link",
            ),
        ),
        class_name="col gap12 card connect-guide",
    )


def _other_way() -> rx.Component:
    """The password form, folded where signing in at the provider is the way that most take."""
    return rx.el.details(
        rx.el.summary(tr("Or with an app password"), class_name="b", hidden=CHOSEN.signs_in_at == ""),
        _with_secret(),
        open=~CHOSEN.can_sign_in,
        class_name="connect-more",
        data_testid="mailbox-other-way",
    )


def _with_secret() -> rx.Component:
    return rx.el.form(
        rx.cond(
            CHOSEN.name != "",
            _guide(),
            rx.el.p(
                tr("These servers are a guess from the address. Your mail provider’s help pages list the right ones."),
                class_name="dim",
            ),
        ),
        rx.el.div(
            field(
                rx.match(
                    CHOSEN.secret_kind,
                    ("app_password", tr("App password")),
                    ("code", tr("Authorisation code")),
                    tr("Password or app password"),
                ),
                text_input("mailbox_password", type="password", auto_complete="off", data_testid="mailbox-password"),
                name="mailbox_password",
            ),
            field(tr("How far back"), _history("mailbox_history"), name="mailbox_history"),
            class_name="grid2",
        ),
        servers(),
        rx.cond(ConnectState.steps.length() > 0, test_steps()),
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
        key=CHOSEN.key + ConnectState.address,
    )
