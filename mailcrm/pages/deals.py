"""The deals board: a column for each stage, cards that are dragged or moved by their menu, Won and Lost."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.deal_card import deal_card
from mailcrm.components.deal_form import deal_form
from mailcrm.components.deal_table import deal_table
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.drop_zone import drop_zone
from mailcrm.components.forms import field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.state.board import BoardState
from mailcrm.state.board_rows import Column
from mailcrm.state.choices import Choice
from mailcrm.state.deal_table import TableState
from mailcrm.state.i18n import tr

PAUSE_MS = 180


def deals() -> rx.Component:
    """Return the page."""
    return shell(
        rx.el.div(
            rx.el.header(
                rx.el.h1(tr("Deals"), class_name="t3"),
                rx.cond(BoardState.pipelines.length() > 1, _pipelines()),
                rx.el.span(BoardState.summary, class_name="t1 dim num cut board-summary", data_testid="board-summary"),
                rx.el.span(class_name="grow"),
                _views(),
                rx.cond(BoardState.view != "table", _filters()),
                ink(icon("plus"), tr("Deal"), on_click=BoardState.start(0), data_testid="deal-create"),
                class_name="bar bar-line",
            ),
            rx.cond(
                BoardState.view == "table",
                deal_table(),
                rx.cond(
                    BoardState.loading & (BoardState.columns.length() == 0),
                    _skeleton(),
                    rx.el.ol(
                        rx.foreach(BoardState.columns, _column),
                        class_name="board",
                        aria_label=tr("Stages"),
                        data_testid="board",
                    ),
                ),
            ),
            rx.el.p(
                id="board-said",
                class_name="sr",
                role="status",
                custom_attrs={
                    "data-lifted": tr("Lifted. Choose a stage with the arrows, drop with Space, put back with Escape."),
                    "data-put": tr("Put back."),
                },
            ),
            rx.el.div(
                _zone("won", "trophy", tr("Won"), BoardState.drop_won),
                _zone("lost", "thumbs-down", tr("Lost"), BoardState.drop_lost),
                _zone("delete", "trash-2", tr("Delete"), BoardState.drop_deleted),
                class_name="drop-zones",
                aria_hidden="true",
            ),
            class_name="deals-page",
        ),
        deal_form(),
        _lost_form(),
        here="deals",
    )


def _views() -> rx.Component:
    return rx.el.div(
        _view("board", "columns-3", tr("Board")),
        _view("table", "rows-3", tr("Table")),
        class_name="seg-box view-box",
        role="group",
        aria_label=tr("View"),
    )


def _view(name: str, mark: str, label: rx.Var[str]) -> rx.Component:
    return icon_button(
        mark,
        label,
        on_click=[BoardState.choose_view(name), *([TableState.open_page] if name == "table" else [BoardState.refresh])],
        custom_attrs={"aria-pressed": BoardState.view == name},
        data_testid=f"deals-{name}",
    )


def _filters() -> rx.Component:
    return rx.fragment(
        rx.el.label(
            icon("search", size=14),
            rx.el.input(
                type="search",
                default_value=BoardState.query,
                placeholder=tr("Find a deal"),
                aria_label=tr("Find a deal"),
                on_change=lambda text: BoardState.find(text).debounce(PAUSE_MS),
                data_testid="deal-search",
                custom_attrs={"data-key": "/"},
            ),
            class_name="bar-search board-search not-phone",
        ),
        rx.el.select(
            rx.el.option(tr("Everyone"), value=""),
            rx.foreach(BoardState.owners, _pipeline),
            value=BoardState.owner,
            on_change=BoardState.choose_owner,
            class_name="pick bar-pick",
            aria_label=tr("Owner"),
            data_testid="deal-owner-filter",
        ),
        rx.cond(
            BoardState.labels.length() > 0,
            rx.el.select(
                rx.el.option(tr("Any label"), value=""),
                rx.foreach(BoardState.labels, _pipeline),
                value=BoardState.label,
                on_change=BoardState.choose_label,
                class_name="pick bar-pick",
                aria_label=tr("Label"),
                data_testid="deal-label-filter",
            ),
        ),
    )


def _pipelines() -> rx.Component:
    return rx.el.select(
        rx.foreach(BoardState.pipelines, _pipeline),
        value=BoardState.pipeline_id.to_string(),
        on_change=BoardState.choose_pipeline,
        class_name="pick bar-pick",
        aria_label=tr("Pipeline"),
    )


def _pipeline(row: rx.Var[Choice]) -> rx.Component:
    return rx.el.option(row.label, value=row.value, key=row.value)


def _column(column: rx.Var[Column]) -> rx.Component:
    return rx.el.li(
        drop_zone(
            rx.el.div(
                rx.el.h2(column.name, class_name="b cut", dir="auto"),
                rx.el.span(column.count, class_name="dim num"),
                rx.el.span(class_name="grow"),
                rx.el.span(column.total, class_name="dim num cut"),
                class_name="stage-head",
            ),
            rx.el.ul(
                rx.foreach(column.cards, deal_card),
                rx.el.li(
                    rx.cond(
                        column.count == 0,
                        rx.el.p(tr("Drag a deal here, or add one."), class_name="t1 dim stage-empty"),
                    ),
                    button(
                        icon("plus"),
                        tr("Deal"),
                        look="ghost",
                        on_click=BoardState.start(column.id),
                        data_testid="deal-create-here",
                    ),
                    class_name="stage-add",
                ),
                class_name="stage-cards",
            ),
            on_drop=lambda dropped: BoardState.drop(column.id, dropped),
            class_name="stage-zone",
        ),
        class_name="stage",
        data_testid="stage",
        custom_attrs={"data-stage": column.name},
        key=column.id,
    )


def _zone(kind: str, name: str, label: rx.Var[str], handler: Any) -> rx.Component:
    return drop_zone(icon(name), label, on_drop=handler, attributes={"data-kind": kind}, class_name="drop-zone")


def _skeleton() -> rx.Component:
    return rx.el.div(*[_bone_column(count) for count in (3, 2, 2, 1, 1)], class_name="board bones", aria_hidden="true")


def _bone_column(count: int) -> rx.Component:
    cards = [rx.el.div(class_name="bone", style={"blockSize": "104px", "borderRadius": "10px"}) for _ in range(count)]
    return rx.el.div(
        rx.el.div(*cards, class_name="stage-cards"), class_name="stage", style={"paddingBlockStart": "40px"}
    )


def _lost_form() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Why was it lost?"),
                text_input("lost_reason", auto_focus=True, dir="auto", auto_complete="off", data_testid="lost-reason"),
                name="lost_reason",
            ),
            dialog_actions(tr("Mark as lost"), "lost-save", look="bad"),
            on_submit=BoardState.lose,
            class_name="col gap12",
        ),
        open_when=BoardState.losing_id > 0,
        on_open_change=BoardState.close_lost,
        title=BoardState.losing_title,
        text=None,
    )
