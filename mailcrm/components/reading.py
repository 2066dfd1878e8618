"""The reading pane: toolbar, subject, messages, reply bar."""

import reflex as rx

from mailcrm.components.arrange import merge_button
from mailcrm.components.avatar import avatar
from mailcrm.components.blocking import block_question
from mailcrm.components.buttons import button, icon_button, kbd
from mailcrm.components.first_steps import first_steps
from mailcrm.components.icons import icon
from mailcrm.components.linking import why_button
from mailcrm.components.message_card import message_card
from mailcrm.components.remind import remind_menu, reminder_marks
from mailcrm.components.states import empty
from mailcrm.components.thread_labels import label_mark, label_picker
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.panel import PanelState
from mailcrm.state.present import MessageRow
from mailcrm.state.thread import ThreadState


def reading_pane() -> rx.Component:
    """Return the pane with the open conversation, or with what to do first."""
    return rx.el.section(
        rx.cond(
            ThreadState.id > 0,
            rx.fragment(
                _toolbar(),
                rx.el.div(_head(), _messages(), class_name="scroll", key=ThreadState.id),
                _peek(),
                _reply_bar(),
                block_question(),
            ),
            rx.cond(
                ThreadState.failed != "",
                empty("mail-x", tr("Couldn’t open this conversation"), ThreadState.failed),
                empty(
                    "mail-open",
                    tr("No conversation open"),
                    tr("Choose one from the list. J and K move, Enter opens."),
                    first_steps(),
                ),
            ),
        ),
        class_name="pane reading",
        id="conversation",
        tab_index=-1,
        aria_label=tr("Conversation"),
    )


def _toolbar() -> rx.Component:
    return rx.el.header(
        rx.el.span(
            icon_button("arrow-left", tr("Back to the list"), on_click=InboxState.back), class_name="only-phone"
        ),
        rx.cond(
            ThreadState.own,
            rx.fragment(
                icon_button(
                    "archive",
                    rx.cond(InboxState.folder == "archive", tr("Move to the inbox"), tr("verb|Archive")),
                    on_click=InboxState.archive,
                    custom_attrs={"data-key": "e"},
                    data_testid="archive",
                ),
                icon_button(
                    "trash-2",
                    tr("Delete"),
                    on_click=InboxState.delete,
                    custom_attrs={"data-key": "#"},
                    data_testid="delete",
                ),
                icon_button("mail", tr("Mark unread"), on_click=InboxState.unread, custom_attrs={"data-key": "u"}),
                remind_menu(),
                label_picker("thread"),
                merge_button(),
            ),
        ),
        rx.el.span(
            icon_button(
                "printer", tr("Print"), custom_attrs={"data-print": ThreadState.printed}, data_testid="thread-print"
            ),
            class_name="no-phone",
        ),
        rx.el.span(class_name="grow"),
        rx.el.span(InboxState.position, class_name="dim num t1"),
        icon_button("chevron-up", tr("Previous conversation"), on_click=InboxState.step(-1)),
        icon_button("chevron-down", tr("Next conversation"), on_click=InboxState.step(1)),
        rx.el.span(
            icon_button("panel-right", tr("Person and deal"), on_click=PanelState.toggle), class_name="only-narrow"
        ),
        class_name="bar bar-line",
    )


def _head() -> rx.Component:
    return rx.el.div(
        rx.el.h2(ThreadState.subject, class_name="subject", dir="auto"),
        rx.el.div(
            rx.foreach(
                PanelState.deals,
                lambda row: rx.el.a(
                    icon("circle-dollar-sign", size=14),
                    rx.el.span(row.title, class_name="cut b", dir="auto"),
                    rx.el.span(class_name="sep"),
                    rx.el.span(row.stage, dir="auto"),
                    href=row.href,
                    class_name="chip chip-lg",
                ),
            ),
            rx.cond(
                PanelState.visibility == "shared",
                rx.el.span(icon("users-round", size=14), tr("Shared"), class_name="chip chip-lg chip-line"),
                rx.el.span(icon("lock", size=14), tr("Private"), class_name="chip chip-lg chip-line"),
            ),
            rx.foreach(ThreadState.labels, lambda each: label_mark(each.name, each.color, key=each.id)),
            reminder_marks(),
            rx.cond(PanelState.has_links, why_button(f"head{ThreadState.id}", ThreadState.id)),
            class_name="row gap6",
            style={"marginBlockStart": "6px", "flexWrap": "wrap"},
        ),
        class_name="reading-head",
    )


def _messages() -> rx.Component:
    return rx.el.div(rx.foreach(ThreadState.messages, _message), class_name="reading-body")


def _message(row: rx.Var[MessageRow]) -> rx.Component:
    return message_card(
        row,
        opened=ThreadState.open_ids.contains(row.id),
        remote=ThreadState.remote_ids.contains(row.id),
        on_fold=ThreadState.unfold(row.id),
        on_remote=ThreadState.show_remote(row.id),
        on_reply=lambda mode: ComposerState.reply(row.id, mode, "dock"),
    )


def _peek() -> rx.Component:
    """Return who and which deal this is about, at the foot of a phone; it opens the panel."""
    return rx.cond(
        PanelState.person.id > 0,
        rx.el.button(
            avatar(PanelState.person.initials, PanelState.person.hue),
            rx.el.span(
                rx.el.bdi(PanelState.person.name, class_name="b cut"),
                rx.el.bdi(PanelState.person.organization, class_name="t1 dim cut"),
                class_name="col grow",
            ),
            rx.foreach(PanelState.deals, lambda row: rx.el.span(row.value, class_name="b num")),
            icon("chevron-up", cls="dim"),
            rx.cond(
                PanelState.steps.length() > 0,
                rx.el.span(
                    rx.foreach(PanelState.steps, lambda step: rx.el.span(custom_attrs={"data-done": step.done})),
                    class_name="peek-steps",
                    aria_hidden="true",
                ),
            ),
            type="button",
            class_name="peek only-phone",
            on_click=PanelState.toggle,
            title=tr("Person and deal"),
            data_testid="peek",
        ),
    )


def _reply_bar() -> rx.Component:
    last = ThreadState.last_id
    return rx.el.footer(
        rx.el.button(
            icon("reply"),
            rx.el.span(tr("Reply to {name}", name=ThreadState.reply_to), class_name="cut", dir="auto"),
            kbd("R"),
            type="button",
            class_name="reply-box",
            on_click=ComposerState.reply(last, "reply", "dock"),
            data_testid="reply",
            custom_attrs={"data-key": "r"},
        ),
        button(
            icon("reply-all"),
            rx.el.span(tr("Reply all")),
            on_click=ComposerState.reply(last, "reply_all", "dock"),
            aria_label=tr("Reply all"),
            data_testid="reply-all",
            custom_attrs={"data-key": "a"},
        ),
        button(
            icon("forward"),
            rx.el.span(tr("Forward")),
            on_click=ComposerState.reply(last, "forward", "dock"),
            aria_label=tr("Forward"),
            data_testid="forward",
            custom_attrs={"data-key": "f"},
        ),
        class_name="reply-bar",
    )
