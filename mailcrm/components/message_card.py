"""One message: a line while it is folded, a card with its frame and files when it is open."""

from collections.abc import Callable
from typing import Any

import reflex as rx

from mailcrm.components.arrange import message_menu
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import icon_button
from mailcrm.components.event_card import event_card
from mailcrm.components.html_frame import html_frame
from mailcrm.components.icons import icon
from mailcrm.components.remote_images import remote_bar, tracker_note
from mailcrm.components.tracking_mark import marks
from mailcrm.state.files import FileRow
from mailcrm.state.i18n import tr
from mailcrm.state.present import MessageRow, Remark
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
                        row.mine | (row.who == row.address),
                        rx.fragment(),
                        rx.el.a(row.address, href="mailto:" + row.address, class_name="t1 dim", reload_document=True),
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
        message_body(row, remote, on_remote, ThreadState.paper_ids.contains(row.id)),
    )


def message_body(
    row: rx.Var[MessageRow], remote: rx.Var[bool], on_remote: Any, paper: rx.Var[bool] | None = None
) -> rx.Component:
    """Return a message's body with the offer for remote images, and its files."""
    return rx.el.div(
        rx.cond(row.gone, rx.el.p(tr("Deleted in the mailbox. The linked copy stays here."), class_name="hint")),
        rx.cond(
            row.bounced != "",
            rx.el.p(icon("triangle-alert", size=14), row.bounced, class_name="hint row gap6", data_testid="bounced"),
        ),
        rx.cond(
            row.notice != "",
            rx.el.p(icon("shield", size=14), row.notice, class_name="hint row gap6", data_testid="security"),
        ),
        rx.foreach(row.remarks, _remark),
        rx.cond(row.event.kind != "", event_card(row.event)),
        rx.cond(row.owner != "", rx.el.p(tr("From the mailbox of {name}", name=row.owner), class_name="hint")),
        rx.cond(
            row.warning != "",
            rx.el.p(icon("triangle-alert", size=14), row.warning, class_name="hint row gap6", data_testid="deception"),
        ),
        rx.cond(remote, rx.fragment(), remote_bar(row, on_remote)),
        tracker_note(),
        html_frame(rx.cond(remote, row.body_remote, row.body), tr("Email from {name}", name=row.who), paper),
        rx.cond(
            row.files.length() > 0,
            rx.el.ul(rx.foreach(row.files, lambda file: _file(file, row.id)), class_name="files"),
        ),
        class_name="msg-main",
    )


def _remark(remark: rx.Var[Remark]) -> rx.Component:
    """Return what somebody wrote above the message when they forwarded it to the CRM."""
    return rx.el.div(
        icon("forward", size=14),
        rx.el.div(
            rx.el.p(tr("{name} forwarded this and wrote", name=remark.name), class_name="t1 dim"),
            rx.el.p(remark.words, class_name="remark-words", dir="auto"),
            class_name="col grow",
        ),
        class_name="note remark",
        data_testid="remark",
    )


def _file(row: rx.Var[FileRow], message_id: rx.Var[int]) -> rx.Component:
    return rx.el.li(
        rx.cond(
            row.on_server,
            _on_server(row, message_id),
            rx.cond(row.preview != "", _shown_file(row), _download(row)),
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


def _download(row: rx.Var[FileRow]) -> rx.Component:
    """Return a file that can only be downloaded."""
    return rx.el.a(
        *_file_facts(row, rx.el.span(row.size, class_name="t1 dim num")),
        icon("download", cls="dim"),
        href=row.href,
        download=row.name,
        reload_document=True,
        class_name="file",
        title=row.name,
        data_testid="attachment",
    )


def _shown_file(row: rx.Var[FileRow]) -> rx.Component:
    """Return a file that opens over the page (assets/reading.js), and its download."""
    return rx.el.span(
        rx.el.a(
            *_file_facts(
                row,
                rx.el.span(row.size, class_name="t1 dim num"),
                rx.cond(
                    row.preview == "image",
                    rx.el.img(src=row.view, alt="", loading="lazy", class_name="file-ico file-thumb"),
                    rx.el.span(icon("file-text"), class_name="file-ico"),
                ),
            ),
            href=row.view,
            target="_blank",
            rel="noopener",
            class_name="row gap10 grow",
            title=row.name,
            custom_attrs={"data-preview": row.preview, "data-name": row.name, "data-file": row.href},
            data_testid="attachment",
        ),
        rx.el.a(
            icon("download"),
            href=row.href,
            download=row.name,
            reload_document=True,
            class_name="icon-btn",
            aria_label=tr("Download {name}", name=row.name),
            title=tr("Download"),
            data_testid="attachment-download",
        ),
        class_name="file",
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


def _file_facts(
    row: rx.Var[FileRow], below: rx.Component, picture: rx.Component | None = None
) -> tuple[rx.Component, rx.Component]:
    return (
        picture or rx.el.span(icon("file-text"), class_name="file-ico"),
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
