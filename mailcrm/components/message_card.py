"""One message: a line while it is folded, a card with its frame and files when it is open."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from mailcrm.components.arrange import message_menu
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import icon_button
from mailcrm.components.event_card import event_card
from mailcrm.components.html_frame import html_frame, remote_bar
from mailcrm.components.icons import icon
from mailcrm.components.tracking_mark import marks
from mailcrm.state.files import FileRow
from mailcrm.state.i18n import tr
from mailcrm.state.present import MessageRow
from mailcrm.state.thread import ThreadState


def message_card(
    row: rx.Var[MessageRow],
    *,
    opened: rx.Var[bool],
    remote: rx.Var[bool],
    on_fold: Any,
    on_remote: Any,
    on_reply: Callable[[str], Any],
) -> rx.Component:
    """Return a message of the reading pane."""
    return rx.el.article(
        rx.cond(opened, _open(row, remote, on_fold, on_remote, on_reply), _folded(row, on_fold)),
        class_name="msg",
        custom_attrs={"data-message-id": row.id},
        key=row.id,
    )


def _folded(row: rx.Var[MessageRow], on_fold: Any) -> rx.Component:
    return rx.el.button(
        avatar(row.initials, row.hue, size="fold", mine=row.mine),
        rx.el.span(row.who, class_name="b cut", dir="auto"),
        rx.el.span(row.snippet, class_name="dim cut", dir="auto"),
        rx.el.span(marks(row.mark), rx.el.span(row.when, class_name="t1 dim num"), class_name="row"),
        type="button",
        class_name="msg-fold",
        on_click=on_fold,
        aria_expanded="false",
    )


def _open(
    row: rx.Var[MessageRow], remote: rx.Var[bool], on_fold: Any, on_remote: Any, on_reply: Callable[[str], Any]
) -> rx.Component:
    return rx.fragment(
        rx.el.header(
            avatar(row.initials, row.hue, mine=row.mine),
            rx.el.div(
                rx.el.p(
                    rx.el.bdi(row.who, class_name="b"),
                    " ",
                    rx.cond(
                        row.mine | (row.who == row.address), rx.fragment(), rx.el.span(row.address, class_name="t1 dim")
                    ),
                    class_name="cut",
                    on_click=on_fold,
                ),
                rx.el.p(row.recipients, class_name="t1 dim cut", dir="auto"),
                class_name="col",
            ),
            rx.el.div(
                rx.cond(row.private, rx.el.span(icon("lock", size=14), title=tr("Private. Only you can read this."))),
                marks(row.mark, pill=True),
                rx.el.span(row.when, class_name="t1 dim num"),
                icon_button("reply", tr("Reply"), on_click=on_reply("reply")),
                message_menu(row),
                class_name="row",
            ),
            class_name="msg-head",
        ),
        message_body(row, remote, on_remote),
    )


def message_body(row: rx.Var[MessageRow], remote: rx.Var[bool], on_remote: Any) -> rx.Component:
    """Return a message's body with the offer for remote images, and its files."""
    return rx.el.div(
        rx.cond(row.gone, rx.el.p(tr("Deleted in the mailbox. The linked copy stays here."), class_name="hint")),
        rx.cond(
            row.notice != "",
            rx.el.p(icon("shield", size=14), row.notice, class_name="hint row gap6", data_testid="security"),
        ),
        rx.cond(row.event.kind != "", event_card(row.event)),
        rx.cond(row.owner != "", rx.el.p(tr("From the mailbox of {name}", name=row.owner), class_name="hint")),
        rx.cond(remote, rx.fragment(), rx.el.div(remote_bar(on_remote), class_name="remote-offer", hidden=True)),
        html_frame(rx.cond(remote, row.body_remote, row.body), tr("Email from {name}", name=row.who)),
        rx.cond(
            row.files.length() > 0,
            rx.el.ul(rx.foreach(row.files, lambda file: _file(file, row.id)), class_name="files"),
        ),
        class_name="msg-main",
    )


def _file(row: rx.Var[FileRow], message_id: rx.Var[int]) -> rx.Component:
    return rx.el.li(
        rx.cond(
            row.on_server,
            _on_server(row, message_id),
            rx.el.a(
                *_file_facts(row, rx.el.span(row.size, class_name="t1 dim num")),
                icon("download", cls="dim"),
                href=row.href,
                download=row.name,
                reload_document=True,
                class_name="file",
                title=row.name,
                data_testid="attachment",
            ),
        ),
        rx.cond(
            row.message != "",
            rx.el.a(
                tr("Read the attached email"),
                href=row.message,
                target="_blank",
                rel="noopener",
                class_name="t1 file-read",
            ),
            rx.fragment(),
        ),
    )


def _on_server(row: rx.Var[FileRow], message_id: rx.Var[int]) -> rx.Component:
    """Return a file that is still on the mail server: it is fetched when somebody opens it."""
    fetching = ThreadState.fetching.contains(row.key)
    return rx.el.button(
        *_file_facts(
            row,
            rx.el.span(
                rx.cond(fetching, tr("Fetching from the server…"), tr("{size} on the server", size=row.size)),
                class_name="t1 dim num cut",
                role="status",
            ),
        ),
        rx.cond(fetching, icon("loader-circle", cls="spin"), icon("cloud-download", cls="dim")),
        type="button",
        class_name="file",
        title=row.name,
        aria_busy=fetching,
        on_click=ThreadState.fetch_file(message_id, row.n),
        data_testid="attachment",
    )


def _file_facts(row: rx.Var[FileRow], below: rx.Component) -> tuple[rx.Component, rx.Component]:
    return (
        rx.el.span(icon("file-text"), class_name="file-ico"),
        rx.el.span(
            rx.el.span(
                rx.el.span(row.head, class_name="cut"),
                rx.el.span(row.tail, style={"flex": "none"}),
                class_name="row b",
                style={"gap": "0"},
                dir="auto",
            ),
            below,
            class_name="col grow",
        ),
    )
