"""A record's history and what is written there: composer tabs, what is planned, filters, timeline (M03).

How a page embeds it:

1. its line in the page table of mailcrm.py loads `TimelineState.open_page` after the page's own state; the address
   (`/deal/12`, `/person/7`, `/organization/3`, `/lead/4`) names the record. A place whose address doesn't, as the lead
   inbox, calls the event `TimelineState.show("lead", id)` when another record is chosen.
2. in its right column it puts `*record(address=…, name=…, deal_id=…)`: whom an email written here goes to, what to call
   them, and the deal that it is linked to (0 for none). Everything else comes from `TimelineState`.
3. a button elsewhere on the page that opens the composer in place adds `TimelineState.choose_tab("email")` to its
   `on_click`.

Live changes reach it by themselves (state/live.py).
"""

from typing import Any

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.components.linking import why_button
from mailcrm.components.message_card import message_body
from mailcrm.components.states import bones, empty
from mailcrm.components.timeline_writer import entry_icon, focus, writer
from mailcrm.components.tracking_mark import marks
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.timeline import TimelineState
from mailcrm.state.timeline_items import Entry

STATE = TimelineState


def record(*, address: Any = "", name: Any = "", deal_id: Any = 0) -> tuple[rx.Component, ...]:
    """Return composer tabs, focus strip, filters and timeline, for a record's right column."""
    return writer(address, name, deal_id), focus(), _filters(), timeline()


def timeline() -> rx.Component:
    """Return the history alone."""
    return rx.el.div(
        rx.cond(
            (STATE.pinned.length() > 0) & ((STATE.shown == "all") | (STATE.shown == "notes")),
            rx.el.ol(
                rx.foreach(STATE.pinned, _entry),
                class_name="timeline timeline-pinned",
                aria_label=tr("Pinned notes"),
                data_testid="timeline-pinned",
            ),
        ),
        rx.cond(
            STATE.entries.length() > 0,
            rx.fragment(
                rx.el.ol(rx.foreach(STATE.entries, _entry), class_name="timeline"),
                rx.cond(
                    STATE.cursor != "",
                    rx.el.div(
                        button(tr("Load more"), on_click=STATE.more, data_testid="timeline-more"), class_name="more-row"
                    ),
                ),
            ),
            rx.cond(
                STATE.loading,
                bones(3),
                rx.cond(
                    (STATE.pinned.length() > 0) & ((STATE.shown == "all") | (STATE.shown == "notes")),
                    rx.fragment(),
                    empty("history", tr("Nothing yet"), tr("Linked email, notes and activities show up here.")),
                ),
            ),
        ),
        data_testid="deal-timeline",
    )


def _filters() -> rx.Component:
    named = (
        ("all", tr("All")),
        ("emails", tr("Emails")),
        ("notes", tr("Notes")),
        ("activities", tr("Activities")),
        ("files", tr("Files")),
        ("changes", tr("Changes")),
    )
    return rx.el.div(
        *[
            rx.el.button(
                label,
                rx.cond(
                    STATE.counts.get(name, "") != "",
                    rx.el.span(STATE.counts.get(name, ""), class_name="dim num seg-count"),
                ),
                type="button",
                on_click=STATE.choose(name),
                custom_attrs={"aria-pressed": STATE.shown == name},
                data_testid=f"show-{name}",
            )
            for name, label in named
        ],
        class_name="seg",
        role="group",
        aria_label=tr("Filter"),
    )


def _entry(row: rx.Var[Entry]) -> rx.Component:
    message = row.message
    return rx.el.li(
        rx.el.span(entry_icon(row.icon), class_name="tl-ico", custom_attrs={"data-kind": row.kind}),
        rx.match(
            row.type,
            (
                "message",
                _email(
                    row,
                    STATE.open_ids.contains(message.id),
                    STATE.remote_ids.contains(message.id),
                    STATE.unfold,
                    STATE.show_remote,
                ),
            ),
            ("note", _note(row)),
            ("activity", _activity(row)),
            rx.el.div(
                rx.el.span(row.text, class_name="grow", dir="auto"),
                rx.el.span(row.when, class_name="t1 dim num"),
                class_name="tl-line",
            ),
        ),
        class_name="tl",
        key=row.key,
        data_testid="timeline-item",
        custom_attrs={"data-type": row.type},
    )


def _note(row: rx.Var[Entry]) -> rx.Component:
    return rx.el.article(
        rx.cond(
            STATE.editing == row.row_id,
            rx.el.form(
                rx.el.textarea(
                    name="note_edit",
                    default_value=row.text,
                    class_name="area note-area",
                    rows="3",
                    dir="auto",
                    auto_focus=True,
                    aria_label=tr("Note"),
                    data_testid="note-edit-text",
                ),
                error_line(STATE.wrong),
                rx.el.div(
                    ink(tr("Save"), type="submit", size="btn-sm", data_testid="note-edit-save"),
                    button(tr("Cancel"), look="ghost", size="btn-sm", on_click=STATE.edit_note(0)),
                    class_name="row gap6",
                ),
                on_submit=STATE.save_note,
                class_name="col gap6",
            ),
            rx.fragment(
                rx.el.p(row.text, class_name="tl-text", dir="auto"),
                rx.el.div(
                    rx.cond(row.pinned, rx.el.span(icon("pin", size=14), tr("Pinned"), class_name="row gap4")),
                    rx.el.span(row.by, " · ", row.when, class_name="cut", dir="auto"),
                    _about(row),
                    rx.el.span(class_name="grow"),
                    icon_button(
                        "pencil-line", tr("Edit note"), on_click=STATE.edit_note(row.row_id), data_testid="note-edit"
                    ),
                    rx.cond(
                        row.pinned,
                        icon_button("pin-off", tr("Unpin note"), on_click=STATE.pin_note(row.row_id, False)),
                        icon_button(
                            "pin", tr("Pin note"), on_click=STATE.pin_note(row.row_id, True), data_testid="note-pin"
                        ),
                    ),
                    icon_button(
                        "trash-2", tr("Delete note"), on_click=STATE.delete_note(row.row_id), data_testid="note-delete"
                    ),
                    class_name="row gap6 t1 dim",
                ),
            ),
        ),
        class_name="card tl-note",
        data_testid="note",
    )


def _activity(row: rx.Var[Entry]) -> rx.Component:
    return rx.el.div(
        rx.el.span(
            rx.el.span(row.lead, ".", class_name="b"), " ", rx.el.bdi(row.text), class_name="grow tl-text", dir="auto"
        ),
        _about(row),
        icon_button("undo-2", tr("Not done after all"), on_click=STATE.untick(row.row_id), data_testid="activity-undo"),
        rx.el.span(row.when, class_name="t1 dim num"),
        class_name="tl-line",
    )


def _about(row: rx.Var[Entry]) -> rx.Component:
    return rx.cond(
        row.about != "",
        rx.cond(
            row.href != "",
            rx.el.a(row.about, href=row.href, class_name="chip cut", dir="auto"),
            rx.el.span(row.about, class_name="chip cut", dir="auto"),
        ),
    )


def _email(row: rx.Var[Entry], opened: Any, remote: Any, on_fold: Any, on_remote: Any) -> rx.Component:
    message = row.message
    return rx.el.article(
        rx.el.div(
            rx.el.div(
                avatar(message.initials, message.hue, size="sm", mine=message.mine),
                rx.el.span(message.who, class_name="b cut", dir="auto"),
                rx.el.span(message.recipients, class_name="t1 dim cut grow", dir="auto"),
                rx.cond(
                    message.files.length() > 0,
                    rx.el.span(icon("paperclip", size=14), message.files.length(), class_name="row gap4 t1 dim num"),
                ),
                marks(message.mark, pill=True),
                rx.el.span(row.when, class_name="t1 dim num"),
                class_name="row",
            ),
            rx.el.button(
                rx.el.span(message.subject, class_name="b cut", dir="auto"),
                rx.cond(opened, rx.fragment(), rx.el.span(message.snippet, class_name="dim cut", dir="auto")),
                type="button",
                class_name="tl-open",
                style={"paddingInlineStart": "28px"},
                on_click=on_fold(message.id),
                custom_attrs={"aria-expanded": opened},
                data_testid="timeline-open",
            ),
            class_name="col",
        ),
        rx.cond(
            opened,
            rx.fragment(
                rx.el.div(message_body(message, remote, on_remote(message.id)), style={"marginInlineStart": "-10px"}),
                rx.el.div(
                    button(
                        icon("reply", size=14),
                        tr("Reply"),
                        size="btn-sm",
                        on_click=[STATE.choose_tab("email"), ComposerState.reply(message.id, "reply", "record")],
                        data_testid="timeline-reply",
                    ),
                    button(
                        icon("reply-all", size=14),
                        tr("Reply all"),
                        size="btn-sm",
                        on_click=[STATE.choose_tab("email"), ComposerState.reply(message.id, "reply_all", "record")],
                    ),
                    why_button(f"m{message.id}", message.thread_id),
                    class_name="row gap6",
                    style={"marginBlockStart": "8px", "paddingInlineStart": "28px"},
                ),
            ),
        ),
        class_name="card tl-card",
        custom_attrs={"data-message-id": message.id},
    )
