"""What of a mailbox is stored: its folders as a tree, how far back, and whose mail (M14, settled questions 7 and 9)."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.forms import choice, error_line
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, radio_row, switch_row, tick
from mailcrm.state.i18n import tr
from mailcrm.state.settings import MailboxesState
from mailcrm.state.settings_folders import FolderRow, FoldersState

BOX = MailboxesState.chosen


def synced_folders() -> rx.Component:
    """Return the section of folders."""
    return option(
        tr("Synced folders"),
        tr("Which mail comes into mailcrm."),
        rx.el.div(
            radio_row(
                "folders",
                "all",
                tr("All mail"),
                tr("Every folder, also those that are added later. Not drafts, spam and trash."),
                mark="mails",
                checked=FoldersState.everything,
                on_pick=FoldersState.sync_all(True),
            ),
            radio_row(
                "folders",
                "chosen",
                tr("Only these folders"),
                tr("A folder that is added later waits until you choose it."),
                mark="list-checks",
                checked=~FoldersState.everything,
                on_pick=FoldersState.sync_all(False),
            ),
            tick(FoldersState.saved),
            class_name="col gap12 radio-group",
            role="radiogroup",
            aria_label=tr("Synced folders"),
        ),
        rx.cond(
            FoldersState.rows.length() > 0,
            rx.el.ul(
                rx.foreach(FoldersState.rows, _row),
                class_name="folder-tree",
                aria_label=tr("Folders"),
                data_testid="folder-tree",
            ),
            rx.el.p(tr("The folders show up with the first sync."), class_name="dim"),
        ),
        error_line(FoldersState.wrong),
        rx.cond(FoldersState.leaving != "", _leaving()),
    )


def _leaving() -> rx.Component:
    return rx.el.div(
        icon("triangle-alert"),
        rx.el.p(FoldersState.leaving, class_name="grow"),
        rx.el.div(
            button(tr("Cancel"), size="btn-sm", on_click=FoldersState.cancel, data_testid="folders-cancel"),
            button(
                tr("Leave them out"),
                look="ink",
                size="btn-sm",
                on_click=FoldersState.confirm,
                data_testid="folders-confirm",
            ),
            class_name="row gap6",
        ),
        class_name="note note-warn",
        role="alert",
        data_testid="folders-leaving",
    )


def _row(row: rx.Var[FolderRow]) -> rx.Component:
    return rx.el.li(
        rx.el.label(
            rx.el.input(
                type="checkbox",
                checked=row.chosen,
                disabled=FoldersState.everything | ~row.selectable,
                on_change=lambda on: FoldersState.tick(row.id, on),
                class_name="check",
                aria_label=row.name,
                data_testid="folder-check",
                custom_attrs={"data-folder": row.name},
            ),
            _role(row.role),
            rx.el.span(row.label, class_name="cut", dir="auto", title=row.name),
            class_name="row gap6 grow folder-name",
            style={"paddingInlineStart": row.depth},
        ),
        rx.cond(
            row.chosen & row.selectable,
            rx.el.button(
                rx.cond(row.watched, icon("bell-ring", size=14), icon("bell-off", size=14)),
                type="button",
                on_click=FoldersState.watch(row.id, ~row.watched),
                disabled=row.role == "inbox",
                aria_pressed=row.watched,
                aria_label=tr("Notice new email in {folder} at once", folder=row.name),
                title=tr("Notice new email in {folder} at once", folder=row.name),
                class_name="icon-btn folder-watch",
                data_testid="folder-watch",
            ),
        ),
        rx.el.span(row.count, class_name="dim num folder-count"),
        class_name="folder-row",
        key=row.id,
    )


def _role(role: rx.Var[str]) -> rx.Component:
    return rx.match(
        role,
        ("inbox", icon("inbox", cls="dim")),
        ("sent", icon("send", cls="dim")),
        ("drafts", icon("file-pen-line", cls="dim")),
        ("archive", icon("archive", cls="dim")),
        ("all", icon("mails", cls="dim")),
        ("junk", icon("shield-alert", cls="dim")),
        ("trash", icon("trash-2", cls="dim")),
        ("flagged", icon("star", cls="dim")),
        icon("folder", cls="dim"),
    )


def stored_mail() -> rx.Component:
    """Return the section of history and contacts only."""
    return option(
        tr("Stored mail"),
        tr("How far back, and whose."),
        rx.el.div(
            rx.el.label(tr("History"), html_for="history", class_name="b grow"),
            tick(MailboxesState.saved == "history"),
            choice(
                "history",
                [
                    ("3", tr("3 days")),
                    ("30", tr("1 month")),
                    ("90", tr("3 months")),
                    ("180", tr("6 months")),
                    ("365", tr("12 months")),
                    ("730", tr("24 months")),
                    ("all", tr("Everything")),
                ],
                value=BOX.history,
                on_change=lambda window: MailboxesState.keep_history(BOX.id, window),
                data_testid="history",
            ),
            class_name="switch-row",
        ),
        rx.el.p(
            tr("Going further back fetches older email. Going less far back deletes nothing."), class_name="t1 dim"
        ),
        switch_row(
            tr("Contacts only"),
            tr("Store only email with people in your contacts. When you add somebody, their earlier email is fetched."),
            name="contacts_only",
            checked=BOX.contacts_only,
            on_change=MailboxesState.switch(BOX.id, "contacts_only"),
            saved=MailboxesState.saved,
            testid="contacts-only",
        ),
    )
