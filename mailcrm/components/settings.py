"""The frame of the settings pages, and the rows that every one of them is made of."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.state.i18n import tr
from mailcrm.state.nav import NavState


def settings_page(*content: rx.Component, here: str, title: Any, action: rx.Component | None = None) -> rx.Component:
    """Return a settings page; `here` names its entry in the side navigation."""
    return shell(
        rx.el.div(
            rx.el.nav(
                rx.el.h1(tr("Settings"), class_name="t3 set-title"),
                rx.el.span(  # a phone has no room for it in its tabs
                    _entry("chart-column", routes.REPORT_TRACKING, tr("Reports"), False), class_name="only-phone"
                ),
                rx.el.p(tr("You"), class_name="nav-group"),
                _entry("user-round", routes.SETTINGS_PROFILE, tr("Profile"), here == "profile"),
                _entry("lock-keyhole", routes.SETTINGS_ACCOUNT, tr("Account and security"), here == "account"),
                _entry("refresh-cw", routes.SETTINGS_SYNC, tr("Email sync"), here == "sync"),
                _entry("bell", routes.SETTINGS_NOTIFICATIONS, tr("Notifications"), here == "notifications"),
                _entry("webhook", routes.SETTINGS_WEBHOOKS, tr("Webhooks"), here == "webhooks"),
                rx.el.p(tr("Workspace"), class_name="nav-group"),
                _entry("users-round", routes.SETTINGS_PEOPLE, tr("team|People"), here == "people"),
                _entry("kanban", routes.SETTINGS_PIPELINES, tr("Pipelines"), here == "pipelines"),
                _entry("tags", routes.SETTINGS_RECORDS, tr("Labels and fields"), here == "records"),
                _entry("shield-check", routes.SETTINGS_TRACKING, tr("Tracking"), here == "tracking"),
                _entry("arrow-right-left", routes.SETTINGS_IMPORT, tr("Import and export"), here == "import"),
                rx.cond(
                    NavState.me.admin,
                    _entry("scroll-text", routes.SETTINGS_AUDIT, tr("Audit log"), here == "audit"),
                ),
                _entry("trash-2", routes.SETTINGS_TRASH, tr("Trash"), here == "trash"),
                class_name="settings-nav",
                aria_label=tr("Settings"),
            ),
            rx.el.div(
                rx.el.header(
                    rx.el.h2(title, class_name="t5 grow"),
                    action if action is not None else rx.fragment(),
                    class_name="row set-head",
                ),
                rx.el.div(*content, class_name="settings-in"),
                class_name="settings-main",
            ),
            class_name="settings",
        ),
        here="settings",
    )


def sync_tabs(here: str) -> rx.Component:
    """Return the tabs of what belongs to one's mailboxes; `here` names the current one."""
    named = (
        ("account", routes.SETTINGS_SYNC, tr("tab|Account")),
        ("signatures", routes.SETTINGS_SIGNATURES, tr("Signatures")),
        ("templates", routes.TEMPLATES, tr("Templates")),
        ("smart-bcc", routes.SETTINGS_BCC, tr("Smart Bcc")),
    )
    return rx.el.nav(
        *[
            rx.el.a(
                label,
                href=href,
                custom_attrs={"aria-current": "page"} if name == here else {},
                data_testid=f"tab-{name}",
            )
            for name, href, label in named
        ],
        class_name="sync-tabs",
        aria_label=tr("Email sync"),
    )


def _entry(name: str, href: str, label: Any, current: bool) -> rx.Component:
    attributes = {"aria-current": "page"} if current else {}
    return rx.el.a(icon(name), rx.el.span(label), href=href, class_name="nav-item set-item", custom_attrs=attributes)


def option(title: Any, text: Any, *controls: rx.Component) -> rx.Component:
    """Return a section: what it is about on the one side, its controls on the other."""
    return rx.el.section(
        rx.el.div(rx.el.h3(title, class_name="b"), rx.el.p(text, class_name="dim")),
        rx.el.div(*controls, class_name="col gap12"),
        class_name="option",
    )


def switch_row(
    label: Any, text: Any, *, name: str, checked: Any, on_change: Any, saved: rx.Var[str], testid: str
) -> rx.Component:
    """Return a switch with its one sentence; a tick shows when its change is saved."""
    return rx.el.div(
        rx.el.div(
            rx.el.label(label, html_for=testid, class_name="b"),
            rx.el.p(text, class_name="t1 dim") if text is not None else rx.fragment(),
            class_name="col grow",
        ),
        tick(saved == name),
        rx.switch(id=testid, checked=checked, on_change=on_change, size="1", data_testid=testid),
        class_name="switch-row",
    )


def tick(shown: Any) -> rx.Component:
    """Return the sign that a change is saved; it fades by itself."""
    return rx.el.span(
        rx.cond(shown, rx.el.span(icon("check", size=14), tr("Saved"), class_name="tick")),
        role="status",
        class_name="tick-place",
    )


def radio_row(name: str, value: str, label: Any, text: Any, *, mark: str, checked: Any, on_pick: Any) -> rx.Component:
    """Return one of several choices with its explanation."""
    return rx.el.label(
        rx.el.input(
            type="radio",
            name=name,
            value=value,
            checked=checked,
            on_change=on_pick,
            class_name="radio",
            data_testid=f"{name}-{value}",
        ),
        rx.el.span(
            rx.el.span(icon(mark, size=14), label, class_name="row gap6 b"),
            rx.el.span(text, class_name="t1 dim"),
            class_name="col",
        ),
        class_name="radio-row",
    )


def sharing_choice(
    name: str, *, shared: rx.Var[bool], saved: rx.Var[str], on_pick: Callable[[str], Any]
) -> rx.Component:
    """Return the section of who may read email that comes from now on (M23); `name` is that of its radio buttons."""
    kinds = (
        ("shared", tr("Shared"), tr("People who can see the contact or deal can read its email."), "users-round"),
        ("private", tr("Private"), tr("Only you. Not even administrators can see it."), "lock"),
    )
    return option(
        tr("Sharing"),
        tr("Applies to email that arrives from now on. Existing email keeps its setting."),
        rx.el.div(
            *[
                radio_row(
                    name,
                    value,
                    label,
                    text,
                    mark=mark,
                    checked=shared if value == "shared" else ~shared,
                    on_pick=on_pick(value),
                )
                for value, label, text, mark in kinds
            ],
            tick(saved == "sharing"),
            class_name="col gap12 radio-group",
            role="radiogroup",
            aria_label=tr("Sharing"),
        ),
    )
