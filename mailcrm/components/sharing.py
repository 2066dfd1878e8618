"""Who may read the open conversation: the switch, and the list of names behind it."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button
from mailcrm.components.help import help_mark
from mailcrm.components.icons import icon
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.panel import PanelState
from mailcrm.state.sharing import ReaderRow, SharingState

WAITS = SharingState.waiting.contains(PanelState.thread_id)


def visibility_section() -> rx.Component:
    """Return the panel's part about who can read the conversation."""
    return rx.el.section(
        rx.el.div(
            rx.el.span(tr("Who can see this"), help_mark("visibility"), class_name="row gap4"),
            visibility_button(),
            class_name="sect-head",
        ),
        rx.el.p(
            rx.cond(
                WAITS,
                tr("Private until the undo is over. Then colleagues can read it where it is linked."),
                rx.cond(
                    PanelState.visibility == "shared",
                    tr("Colleagues can read this where it is linked to a person or a deal."),
                    tr("Private. Only you can read this conversation."),
                ),
            ),
            class_name="t1 dim",
            style={"marginBlockStart": "6px"},
        ),
        _names(),
        class_name="sect",
    )


def visibility_button() -> rx.Component:
    """Return the button that shares the conversation or makes it private."""
    shared = PanelState.visibility == "shared"
    return rx.el.button(
        rx.cond(shared, icon("users-round", size=14), rx.cond(WAITS, icon("clock", size=14), icon("lock", size=14))),
        rx.cond(shared, tr("Shared"), rx.cond(WAITS, tr("Sharing…"), tr("Private"))),
        type="button",
        class_name="chip chip-lg chip-line",
        style={"cursor": "pointer"},
        disabled=~PanelState.can_change,
        on_click=SharingState.toggle,
        title=rx.cond(shared, tr("Make private"), rx.cond(WAITS, tr("Keep private"), tr("Share with the team"))),
        data_testid="visibility-toggle",
        custom_attrs={
            "data-key": "v",
            "data-visibility": PanelState.visibility,
            "data-waiting": WAITS,
            "aria-pressed": shared,
        },
    )


def _names() -> rx.Component:
    return rx.popover.root(
        rx.popover.trigger(
            button(
                tr("Who can read this"),
                look="ghost",
                size="btn-sm",
                style={"marginBlockStart": "6px", "marginInlineStart": "-8px"},
                data_testid="readers-open",
            )
        ),
        rx.popover.content(
            rx.el.div(
                rx.cond(
                    SharingState.loading,
                    bones(2),
                    rx.cond(
                        SharingState.failed != "",
                        rx.el.p(SharingState.failed, class_name="wrong", role="alert"),
                        _list(),
                    ),
                ),
                class_name="col gap6",
                style={"padding": "12px", "inlineSize": "280px"},
                data_testid="readers",
            ),
            class_name="pop",
            side="bottom",
            align="start",
        ),
        open=SharingState.open,
        on_open_change=SharingState.show_readers,
    )


def _list() -> rx.Component:
    return rx.fragment(
        rx.el.p(tr("Can read this now"), class_name="b"),
        rx.el.ul(rx.foreach(SharingState.readers, _reader), class_name="col gap6", data_testid="readers-now"),
        rx.cond(
            SharingState.would.length() > 0,
            rx.fragment(
                rx.el.p(
                    rx.cond(
                        SharingState.shared, tr("Would read the rest once shared"), tr("Would read it once shared")
                    ),
                    class_name="b",
                    style={"marginBlockStart": "6px"},
                ),
                rx.el.ul(rx.foreach(SharingState.would, _reader), class_name="col gap6", data_testid="readers-would"),
            ),
            rx.cond(
                SharingState.own & ~SharingState.linked,
                rx.el.p(
                    tr(
                        "No colleague sees a person or deal it is linked to. They will read shared email once it is linked."
                    ),
                    class_name="t1 dim",
                    data_testid="readers-unlinked",
                ),
            ),
        ),
    )


def _reader(row: rx.Var[ReaderRow]) -> rx.Component:
    return rx.el.li(
        avatar(row.initials, row.hue),
        rx.el.span(row.name, class_name="cut grow", dir="auto"),
        rx.cond(row.owner, rx.el.span(tr("Owner"), class_name="t1 dim")),
        rx.cond(row.part != "", rx.el.span(row.part, class_name="t1 dim num", title=tr("Emails of this conversation"))),
        class_name="row gap6",
        data_testid="reader",
        key=row.id,
    )
