"""The list of conversations: rows that render once and change alone, under sticky day headings."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button, kbd
from mailcrm.components.filters import filter_bar, filter_menu
from mailcrm.components.icons import icon
from mailcrm.components.linking import pick_bar, pick_box, suggestion
from mailcrm.components.notification_bell import notification_bell
from mailcrm.components.outgoing_row import outgoing_row
from mailcrm.components.remind import row_acts
from mailcrm.components.search_box import search_box
from mailcrm.components.states import bones, empty
from mailcrm.components.thread_labels import label_mark
from mailcrm.components.tracking_mark import marks
from mailcrm.components.when_changed import WHEN_CHANGED
from mailcrm.state.filtering import FilterState
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.linking import PickState
from mailcrm.state.nav import NavState
from mailcrm.state.present import Row


def thread_list() -> rx.Component:
    """Return the list pane."""
    return rx.el.section(
        rx.cond(PickState.count != "", pick_bar(), _header()),
        rx.cond(
            (InboxState.folder == "drafts") | (InboxState.folder == "outbox"),
            rx.el.div(class_name="bar-line"),
            filter_bar(),
        ),
        rx.el.button(
            icon("arrow-up", size=14),
            rx.el.span(),  # keys.js counts
            type="button",
            id="new-pill",
            class_name="btn btn-ink btn-sm new-pill",
            hidden=True,
            data_testid="new-pill",
            custom_attrs={"data-one": tr("1 new"), "data-many": tr("{n} new")},
        ),
        rx.el.div(
            rx.cond(
                InboxState.loading & (InboxState.rows.length() == 0) & (InboxState.outgoing.length() == 0),
                bones(),
                rx.cond(
                    InboxState.failed != "",
                    empty(
                        "cloud-off",
                        tr("Couldn’t load this list"),
                        InboxState.failed,
                        button(tr("Try again"), on_click=InboxState.refresh),
                    ),
                    rx.cond(
                        (InboxState.rows.length() == 0) & (InboxState.outgoing.length() == 0),
                        _nothing(),
                        rx.el.ul(
                            rx.cond(
                                InboxState.starts[0] != "",
                                rx.el.li(
                                    button(
                                        icon("arrow-up"),
                                        tr("Back to the newest"),
                                        size="btn-sm",
                                        on_click=InboxState.newest,
                                        data_testid="list-newest",
                                    ),
                                    class_name="list-end",
                                ),
                            ),
                            rx.foreach(InboxState.rows, _entry),
                            rx.foreach(InboxState.outgoing, outgoing_row),
                            aria_label=tr("Conversations"),
                        ),
                    ),
                ),
            ),
            rx.cond(
                InboxState.cursor != "",
                rx.el.div(
                    button(
                        tr("Load more"),
                        on_click=InboxState.more,
                        custom_attrs={"data-more": InboxState.cursor},
                        data_testid="load-more",
                    ),
                    class_name="list-end",
                ),
            ),
            class_name="scroll thread-list",
            id="list",
            tab_index=-1,
        ),
        class_name="pane list-pane",
        aria_label=tr("Conversations"),
    )


def _header() -> rx.Component:
    return rx.el.header(
        rx.el.h1(_title(), class_name="t3 cut"),
        rx.cond(
            (InboxState.folder == "inbox")
            & (InboxState.query == "")
            & (InboxState.filters.length() == 0)
            & (InboxState.total_unread != ""),
            rx.el.span(InboxState.total_unread, class_name="dim num"),
        ),
        rx.cond(
            ((InboxState.filters.length() > 0) | (InboxState.query != "")) & ~InboxState.loading,
            rx.el.span(
                InboxState.rows.length(),
                rx.cond((InboxState.cursor != "") | (InboxState.starts[0] != ""), "+", ""),
                class_name="dim num",
                role="status",
                title=tr("Conversations found"),
                data_testid="list-found",
            ),
        ),
        _folders(),
        rx.el.span(class_name="grow not-phone"),
        search_box("phone", cls="only-phone"),
        rx.el.span(icon_button("refresh-cw", tr("Refresh"), on_click=InboxState.refresh), class_name="not-phone"),
        rx.cond((InboxState.folder == "drafts") | (InboxState.folder == "outbox"), rx.fragment(), filter_menu()),
        rx.el.span(notification_bell(testid="phone-bell"), class_name="only-phone"),
        class_name="bar list-bar",
    )


def _title() -> rx.Component:
    return rx.cond(
        InboxState.query != "",
        tr("Results for “{query}”", query=InboxState.query),
        rx.match(
            InboxState.folder,
            ("drafts", tr("Drafts")),
            ("outbox", tr("Outbox")),
            ("sent", tr("Sent")),
            ("archive", tr("noun|Archive")),
            tr("Inbox"),
        ),
    )


def _folders() -> rx.Component:
    """Return the way to the other folders, where the navigation is out of sight."""
    items = (
        (routes.INBOX, tr("Inbox"), "inbox"),
        (routes.DRAFTS, tr("Drafts"), "file-pen-line"),
        (routes.OUTBOX, tr("Outbox"), "calendar-clock"),
        (routes.SENT, tr("Sent"), "send"),
        (routes.ARCHIVE, tr("noun|Archive"), "archive"),
    )
    return rx.el.span(
        rx.dropdown_menu.root(
            rx.dropdown_menu.trigger(icon_button("chevron-down", tr("Folders"), data_testid="folders")),
            rx.dropdown_menu.content(
                *[
                    rx.dropdown_menu.item(icon(picture), label, on_select=rx.redirect(path))
                    for path, label, picture in items
                ],
                align="start",
            ),
        ),
        class_name="only-phone",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        (InboxState.filters.length() > 0) | (InboxState.query != ""),
        empty(
            "list-filter",
            tr("Nothing matches"),
            tr("No conversation here fits this filter."),
            button(tr("Clear filter"), kbd("Esc"), on_click=FilterState.clear, custom_attrs={"data-key": "escape"}),
        ),
        rx.match(
            InboxState.folder,
            ("drafts", empty("file-pen-line", tr("No drafts"), tr("An email that you start is kept here."))),
            ("outbox", empty("calendar-clock", tr("Nothing waits"), tr("Email on its way out shows up here."))),
            ("sent", empty("send", tr("Nothing sent yet"), tr("Email that you send shows up here."))),
            ("archive", empty("archive", tr("Archive is empty"), tr("Archived conversations show up here."))),
            _no_mail(),
        ),
    )


def _no_mail() -> rx.Component:
    return rx.cond(
        NavState.sync_kind == "none",
        empty(
            "at-sign",
            tr("No mailbox yet"),
            tr("Connect your email, then it shows up here."),
            rx.el.a(tr("Connect your email"), href=routes.SETTINGS_SYNC, class_name="btn btn-ink"),
        ),
        rx.cond(
            NavState.sync_kind == "syncing",
            empty(
                "loader-circle",
                tr("Your email is on its way"),
                tr("The newest comes first. You can start working now."),
            ),
            empty("sun", tr("Inbox is clear"), tr("New email shows up here by itself.")),
        ),
    )


def _entry(row: rx.Var[Row]) -> rx.Component:
    return thread_row(
        row=row,
        active=InboxState.selected == row.id,
        unread=InboxState.unread_ids.contains(row.id),
        picked=PickState.ids.contains(row.id),
        archived=InboxState.folder == "archive",
        key=row.id,
    )


@rx.memo(wrapper=WHEN_CHANGED)
def thread_row(
    rest: rx.RestProp,
    *,
    row: rx.Var[Row],
    active: rx.Var[bool],
    unread: rx.Var[bool],
    picked: rx.Var[bool],
    archived: rx.Var[bool],
) -> rx.Component:
    """Render one conversation; again only when its own row, selection, unread flag or pick changed.

    It reads no state that changes while somebody works: a state that is read here renders all rows with each change.
    """
    return rx.el.li(
        rx.cond(row.day != "", rx.el.h2(row.day, class_name="day")),
        rx.el.div(
            rx.cond(unread, rx.el.span(class_name="unread-dot", aria_hidden="true")),
            avatar(row.initials, row.hue),
            rx.el.div(
                rx.el.div(
                    rx.el.span(row.who, class_name="tr-who cut", dir="auto"),
                    rx.cond(row.count > 0, rx.el.span(row.count, class_name="dim num t1")),
                    rx.el.span(
                        rx.cond(row.attachment, icon("paperclip", size=14)),
                        rx.cond(row.private, icon("lock", size=14)),
                        rx.el.span(row.when, class_name="tr-time num"),
                        class_name="tr-side",
                    ),
                    class_name="tr-line",
                ),
                rx.el.div(
                    rx.el.span(row.subject, class_name="tr-subject cut", dir="auto"),
                    rx.foreach(row.labels, lambda each: label_mark(each.name, each.color, key=each.id)),
                    rx.cond(row.more_labels != "", rx.el.span(row.more_labels, class_name="dim t1 num")),
                    marks(row.mark),
                    class_name="tr-line",
                ),
                rx.el.div(
                    rx.cond(row.failed, icon("triangle-alert", size=14)),
                    rx.el.span(
                        row.snippet,
                        class_name=rx.cond(row.failed, "tr-snippet bad cut grow", "tr-snippet cut grow"),
                        dir="auto",
                    ),
                    rx.cond(
                        row.deal != "",
                        rx.el.span(
                            icon("circle-dollar-sign", size=13),
                            rx.el.span(row.deal, class_name="cut", dir="auto"),
                            class_name="chip",
                        ),
                        suggestion(row),
                    ),
                    class_name="tr-line",
                ),
                class_name="col",
            ),
            class_name="thread-row",
            role="button",
            tab_index=-1,  # keys.js lets one row at a time be reached with Tab
            on_click=InboxState.select(row.id),
            aria_label=row.label,
            data_testid="thread-row",
            custom_attrs={
                "data-thread-id": row.id,
                "data-unread": unread,
                "aria-current": rx.cond(active, "true", rx.Var("undefined")),
                "data-picked": picked,
            },
        ),
        pick_box(row.id, row.who, picked=picked),
        row_acts(row.id, archived=archived),
        rest,
    )
