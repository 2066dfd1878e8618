"""A deal on the board: a link that can be dragged, with a menu that does everything dragging does."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import icon_button
from mailcrm.components.drop_zone import draggable
from mailcrm.components.icons import icon
from mailcrm.components.tracking_mark import still_marks
from mailcrm.state.board import BoardState
from mailcrm.state.board_rows import BoardCard, Column
from mailcrm.state.i18n import tr


def deal_card(row: rx.Var[BoardCard]) -> rx.Component:
    """Return the card."""
    deal = row.deal
    return rx.el.li(
        rx.el.a(
            rx.el.p(deal.title, class_name="b cut card-title", dir="auto"),
            rx.el.p(
                rx.cond(deal.organization != "", deal.organization, deal.person), class_name="t1 dim cut", dir="auto"
            ),
            rx.el.div(
                rx.el.span(deal.value, class_name="b num grow cut"),
                rx.el.span(
                    rx.match(
                        row.step_tone,
                        ("late", icon("calendar-x", size=14)),
                        ("today", icon("calendar-check", size=14)),
                        ("none", icon("triangle-alert", size=14)),
                        icon("calendar", size=14),
                    ),
                    rx.el.span(row.step, class_name="cut", dir="auto"),
                    class_name="row gap4 card-step",
                    custom_attrs={"data-tone": row.step_tone},
                ),
                class_name="row card-value t1",
            ),
            rx.el.div(
                rx.cond(
                    deal.last_mail != "",
                    rx.fragment(
                        rx.cond(row.out, icon("send", size=14), icon("reply", size=14)),
                        rx.el.span(
                            rx.cond(row.out, tr("To {name}", name=deal.person), deal.person),
                            class_name="cut",
                            dir="auto",
                        ),
                        still_marks(deal.mark),
                        rx.el.span(deal.last_mail, class_name="num card-when"),
                    ),
                    rx.fragment(
                        rx.el.span(rx.cond(deal.organization != "", deal.person, ""), class_name="cut", dir="auto"),
                        rx.el.span(tr("No email yet"), class_name="card-none"),
                    ),
                ),
                rx.el.span(
                    avatar(deal.owner_initials, row.owner_hue, size="sm"),
                    title=deal.owner,
                    class_name="row",
                    aria_label=deal.owner,
                    role="img",
                ),
                class_name="card-foot",
            ),
            href=deal.href,
            class_name="card deal-card",
            draggable=True,
            aria_label=row.label,
            data_testid="deal-card",
            custom_attrs={"data-deal-id": deal.id, "data-quiet": row.quiet, **draggable(deal.id)},
        ),
        _menu(row),
        class_name="deal-slot",
        key=deal.id,
    )


def _menu(row: rx.Var[BoardCard]) -> rx.Component:
    deal = row.deal
    return rx.el.div(
        rx.dropdown_menu.root(
            rx.dropdown_menu.trigger(
                icon_button("ellipsis", tr("Move {title}", title=deal.title), cls="card-menu", data_testid="deal-menu")
            ),
            rx.dropdown_menu.content(
                rx.el.p(tr("Move to"), class_name="menu-label"),
                rx.foreach(BoardState.columns, lambda column: _stage(column, row)),
                rx.dropdown_menu.separator(),
                rx.dropdown_menu.item(icon("trophy", size=14), tr("Won"), on_select=BoardState.win(deal.id)),
                rx.dropdown_menu.item(icon("thumbs-down", size=14), tr("Lost"), on_select=BoardState.ask_lost(deal.id)),
                rx.dropdown_menu.item(icon("trash-2", size=14), tr("Delete"), on_select=BoardState.delete(deal.id)),
                align="end",
            ),
        ),
        class_name="card-menu-place",
    )


def _stage(column: rx.Var[Column], row: rx.Var[BoardCard]) -> rx.Component:
    return rx.dropdown_menu.item(
        rx.el.bdi(column.name),
        on_select=BoardState.move(row.deal.id, column.id),
        disabled=column.id == row.deal.stage_id,
        key=column.id,
    )
