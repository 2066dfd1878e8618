"""Settings › Trash: what was deleted, the last first, and the way back."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.trash import TrashRow, TrashState


def settings_trash() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.el.p(
            tr("What you delete stays here with everything that belongs to it: contacts, deals, leads, templates …"),
            rx.cond(
                TrashState.days != "",
                rx.fragment(" ", tr("They are deleted for good after {n} days.", n=TrashState.days)),
            ),
            class_name="dim dlg-text",
            data_testid="trash-about",
        ),
        rx.cond(
            TrashState.failed,
            empty(
                "triangle-alert",
                tr("The trash could not be read"),
                tr("Try again in a moment."),
                button(tr("Try again"), on_click=TrashState.load),
            ),
            rx.cond(
                TrashState.loaded,
                rx.cond(TrashState.rows.length() > 0, _table(), _nothing()),
                bones(5),
            ),
        ),
        rx.cond(
            TrashState.cursor != "",
            rx.el.div(button(tr("Load more"), on_click=TrashState.more, data_testid="trash-more"), class_name="row"),
        ),
        here="trash",
        title=tr("Trash"),
        action=rx.el.select(
            rx.el.option(tr("Everything"), value=""),
            rx.el.option(tr("People"), value="person"),
            rx.el.option(tr("Organizations"), value="organization"),
            rx.el.option(tr("Deals"), value="deal"),
            rx.el.option(tr("Leads"), value="lead"),
            rx.el.option(tr("Notes"), value="note"),
            rx.el.option(tr("Activities"), value="activity"),
            rx.el.option(tr("Templates"), value="template"),
            rx.el.option(tr("Signatures"), value="signature"),
            value=TrashState.kind,
            on_change=TrashState.choose_kind,
            class_name="pick",
            aria_label=tr("Show"),
            style={"inlineSize": "auto"},
            data_testid="trash-kind",
        ),
    )


def _nothing() -> rx.Component:
    return empty("trash-2", tr("The trash is empty"), tr("What you delete can be restored here."))


def _table() -> rx.Component:
    return rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(tr("Name")),
                    rx.el.th(tr("Kind")),
                    rx.el.th(tr("Deleted")),
                    rx.el.th(rx.el.span(tr("Restore"), class_name="sr")),
                )
            ),
            rx.el.tbody(rx.foreach(TrashState.rows, _row)),
            class_name="table trash-table",
        ),
        class_name="ledger-box",
    )


def _row(row: rx.Var[TrashRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.div(
                rx.match(
                    row.kind,
                    ("organization", icon("building-2")),
                    ("deal", icon("circle-dollar-sign")),
                    ("lead", icon("sprout")),
                    ("note", icon("sticky-note")),
                    ("activity", icon("calendar-check")),
                    ("template", icon("layout-template")),
                    ("signature", icon("signature")),
                    icon("user-round"),
                ),
                rx.el.span(
                    rx.el.span(row.name, class_name="b cut", dir="auto"),
                    rx.cond(row.into != "", rx.el.span(row.into, class_name="t1 dim cut", dir="auto")),
                    class_name="col grow merge-who",
                ),
                class_name="row gap12",
            )
        ),
        rx.el.td(
            rx.match(
                row.kind,
                ("organization", tr("Organization")),
                ("deal", tr("Deal")),
                ("lead", tr("Lead")),
                ("note", tr("Note")),
                ("activity", tr("Activity")),
                ("template", tr("Template")),
                ("signature", tr("Signature")),
                tr("Contact"),
            ),
            class_name="dim",
        ),
        rx.el.td(row.when, class_name="dim"),
        rx.el.td(
            button(
                icon("undo-2", size=14),
                tr("Restore"),
                size="btn-sm",
                on_click=TrashState.restore(row.kind, row.id),
                aria_label=tr("Restore {name}", name=row.name),
                data_testid="trash-restore",
            ),
            class_name="n",
        ),
        data_testid="trash-row",
        key=row.key,
    )
