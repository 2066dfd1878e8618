"""The one table of keys: keys.js acts by it, the sheet behind ? shows it, the palette offers it. No key stands twice.

A key without `act` clicks what carries it as data-key and is on the screen; with one, keys.js has a function of that
name. `single`: a plain letter, which somebody may switch off (WCAG 2.1.4).
"""

import json
from dataclasses import dataclass

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr


@dataclass(frozen=True)
class Key:
    """A key, or several that do the same; `shown` is how the sheet writes them, `icon` is for the palette."""

    keys: tuple[str, ...]
    label: rx.Var[str]
    act: str = ""
    shown: tuple[str, ...] = ()
    icon: str = ""


def _keys() -> tuple[tuple[rx.Var[str], tuple[Key, ...]], ...]:
    return (
        (
            tr("Everywhere"),
            (
                Key((), tr("Find, go to, do"), shown=("Ctrl", "K")),
                Key(("c",), tr("Compose"), icon="plus"),
                Key(("/",), tr("Search"), "search"),
                Key(("z",), tr("Undo"), "undo"),
                Key(("?",), tr("All keys"), "help", icon="keyboard"),
                Key(("escape",), tr("Back, close"), "-", shown=("Esc",)),
            ),
        ),
        (
            tr("Go to"),
            (
                Key(("g i",), tr("Inbox"), icon="inbox"),
                Key(("g f",), tr("Drafts"), icon="file-pen-line"),
                Key(("g o",), tr("Outbox"), icon="calendar-clock"),
                Key(("g s",), tr("Sent"), icon="send"),
                Key(("g a",), tr("noun|Archive"), icon="archive"),
                Key(("g d",), tr("Deals"), icon="circle-dollar-sign"),
                Key(("g l",), tr("Leads"), icon="sprout"),
                Key(("g c",), tr("Contacts"), icon="users-round"),
                Key(("g t",), tr("Templates"), icon="layout-template"),
                Key(("g r",), tr("Reports"), icon="chart-column"),
                Key(("g ,",), tr("Settings"), icon="settings"),
            ),
        ),
        (
            tr("List"),
            (
                Key(("j",), tr("Next conversation"), "next"),
                Key(("k",), tr("Previous conversation"), "previous"),
                Key(("x",), tr("Select"), "pick"),
                Key(("shift j",), tr("Extend the selection down"), "extend-down"),
                Key(("shift k",), tr("Extend the selection up"), "extend-up"),
                Key(("shift f",), tr("Filters"), icon="list-filter"),
            ),
        ),
        (
            tr("Conversation, or what is selected"),
            (
                Key(("e",), tr("verb|Archive"), icon="archive"),
                Key(("#",), tr("Delete"), icon="trash-2"),
                Key(("u",), tr("Mark unread"), icon="mail"),
                Key(("shift u",), tr("Mark read"), icon="mail-open"),
                Key(("s", "h"), tr("Snooze, remind me"), "remind", icon="alarm-clock"),
                Key(("l",), tr("Link to a deal or contact"), icon="link"),
                Key(("shift l",), tr("Labels"), icon="tag"),
                Key(("v",), tr("Share, or make private"), icon="users-round"),
                Key(("r",), tr("Reply"), icon="reply"),
                Key(("a",), tr("Reply all"), icon="reply-all"),
                Key(("f",), tr("Forward"), icon="forward"),
                Key(("t",), tr("Tracking card"), "tracking"),
            ),
        ),
        (
            tr("Composer"),
            (
                Key((), tr("Send"), shown=("Ctrl", "Enter")),
                Key((), tr("Send later"), shown=("Ctrl", "Shift", "Enter")),
                Key((), tr("Insert merge field"), shown=("{{",)),
                Key((), tr("Use a template, on an empty line"), shown=("/",)),
                Key((), tr("Add a link to marked text"), shown=("Ctrl", "K")),
            ),
        ),
    )


def table() -> str:
    """Return what keys.js reads: each key and the name of its function, "" for a click."""
    return json.dumps({key: each.act for _name, keys in _keys() for each in keys for key in each.keys})


def commands() -> list[dict[str, rx.Var[str] | str]]:
    """Return what the palette offers: everything that a click does."""
    return [
        {"key": each.keys[0], "label": each.label, "group": "go" if each.keys[0].startswith("g ") else "do",
         "shown": " ".join(_spelled(each.keys[0]))}
        for _name, keys in _keys()
        for each in keys
        if each.icon
    ]  # fmt: skip


def key_sheet() -> rx.Component:
    """Return the sheet behind ?: a dialog of the browser's own, opened by keys.js, so no server is asked."""
    return rx.el.dialog(
        rx.el.div(
            rx.el.h2(tr("Keys"), class_name="t4"),
            rx.el.label(
                rx.el.input(type="checkbox", id="keys-single", data_testid="keys-single"),  # keys.js keeps it
                tr("Single-letter keys"),
                class_name="row gap6 t1 dim",
            ),
            icon_button("x", tr("Close"), custom_attrs={"data-close": "true"}),
            class_name="row gap12 sheet-top",
        ),
        rx.el.div(*[_group(name, keys) for name, keys in _keys()], class_name="key-groups"),
        id="keys-sheet",
        class_name="key-sheet",
        aria_label=tr("Keys"),
        custom_attrs={"data-keys": table(), "closedby": "any"},
        data_testid="keys-sheet",
    )


def _group(name: rx.Var[str], keys: tuple[Key, ...]) -> rx.Component:
    return rx.el.section(
        rx.el.h3(name, class_name="t1 dim"),
        rx.el.dl(*[_key(each) for each in keys]),
    )


def _key(each: Key) -> rx.Component:
    shown = each.shown or _spelled(each.keys[0])
    others = [part for key in each.keys[1:] for part in ("/", *_spelled(key))]
    return rx.el.div(
        rx.el.dt(each.label),
        rx.el.dd(
            *[rx.el.kbd(part, class_name="kbd") if part != "/" or not others else part for part in (*shown, *others)]
        ),
        class_name="key-line",
    )


def _spelled(key: str) -> tuple[str, ...]:
    return tuple(part.capitalize() if len(part) > 1 else part.upper() for part in key.split(" "))


def offline_banner() -> rx.Component:
    """Return the banner that keys.js shows while there is no connection (DESIGN.md §2); it replaces Reflex's toast."""
    return rx.el.div(
        rx.el.div(
            icon("cloud-off"),
            rx.el.p(tr("Offline. What you see may be old; what you write is kept on this device."), class_name="grow"),
            class_name="banner banner-warn",
            custom_attrs={"data-when": "lost"},
        ),
        rx.el.div(icon("check"), rx.el.p(tr("Back online")), class_name="banner", custom_attrs={"data-when": "back"}),
        id="offline",
        class_name="offline",
        role="status",
        data_testid="offline",
    )
