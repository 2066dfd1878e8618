"""The deals as a table: filters above, columns of one's choice, many changed at once."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.icons import icon
from mailcrm.components.states import bones, empty
from mailcrm.components.table_pick import do_with, labels_cell, narrow_by, options, pick_all, pick_one
from mailcrm.state.board import BoardState
from mailcrm.state.choices import Choice
from mailcrm.state.deal_table import TableRow, TableState
from mailcrm.state.i18n import tr, trn

PAUSE_MS = 250


def deal_table() -> rx.Component:
    """Return filters and table."""
    return rx.el.div(
        rx.cond(TableState.picked.length() > 0, _bulk(), _filters()),
        rx.el.div(
            rx.cond(
                TableState.failed != "",
                empty(
                    "cloud-off",
                    tr("Couldn’t load this list"),
                    TableState.failed,
                    button(tr("Take the filters off"), on_click=TableState.clear),
                ),
                rx.cond(
                    TableState.rows.length() > 0,
                    _table(),
                    rx.cond(TableState.loading, bones(), _nothing()),
                ),
            ),
            class_name="scroll table-scroll",
        ),
        class_name="deal-table",
        data_testid="deal-table",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        TableState.filtered,
        empty(
            "search-x",
            tr("No deal matches"),
            tr("Take a filter off, or try another word."),
            button(tr("Take the filters off"), on_click=TableState.clear),
        ),
        empty(
            "circle-dollar-sign",
            tr("No deals yet"),
            tr("Add one, or convert a lead."),
            button(icon("plus"), tr("Deal"), on_click=BoardState.start(0)),
        ),
    )


def _pick(name: str, label: rx.Var[str], *choices: rx.Component, value: object) -> rx.Component:
    change: Any = lambda chosen: TableState.set_filter(name, chosen)  # noqa: E731  an event takes a function
    return narrow_by(value, change, label, f"deals-filter-{name}", *choices)


def _typed(name: str, label: rx.Var[str], kind: str, **props: object) -> rx.Component:
    return rx.el.label(
        rx.el.span(label, class_name="label"),
        rx.el.input(
            type=kind,
            default_value=TableState.filters.get(name, ""),
            on_change=lambda text: TableState.set_filter(name, text).debounce(PAUSE_MS),
            class_name="input",
            data_testid=f"deals-filter-{name}",
            **props,
        ),
        class_name="col",
    )


def _named(what: str, label: rx.Var[str], name: rx.Var[str], found: rx.Var[list[str]]) -> rx.Component:
    """A field that offers names; the list is narrowed once what is typed is one of them."""
    return rx.el.label(
        rx.el.span(label, class_name="label"),
        rx.el.input(
            type="search",
            list=f"deals-{what}-names",
            default_value=name,
            on_change=lambda text: TableState.narrow_to(what, text).debounce(PAUSE_MS),
            class_name="input",
            auto_complete="off",
            dir="auto",
            data_testid=f"deals-filter-{what}",
        ),
        rx.el.datalist(rx.foreach(found, lambda each: rx.el.option(value=each, key=each)), id=f"deals-{what}-names"),
        class_name="col",
    )


def _filters() -> rx.Component:
    chosen = TableState.filters
    return rx.el.div(
        rx.el.label(
            icon("search", size=14),
            rx.el.input(
                type="search",
                default_value=chosen.get("query", ""),
                placeholder=tr("Find a deal"),
                aria_label=tr("Find a deal"),
                on_change=lambda text: TableState.set_filter("query", text).debounce(PAUSE_MS),
                data_testid="deals-filter-query",
                key=TableState.version,
            ),
            class_name="bar-search table-search",
        ),
        _pick(
            "status",
            tr("Status"),
            rx.el.option(tr("state|Open"), value="open"),
            rx.el.option(tr("Won"), value="won"),
            rx.el.option(tr("Lost"), value="lost"),
            rx.el.option(tr("Any status"), value=""),
            value=chosen.get("status", ""),
        ),
        _pick(
            "stage",
            tr("Stage"),
            rx.el.option(tr("Any stage"), value=""),
            options(TableState.stages),
            value=chosen.get("stage", ""),
        ),
        _pick(
            "owner",
            tr("Owner"),
            rx.el.option(tr("Everyone"), value=""),
            options(TableState.owners),
            value=chosen.get("owner", ""),
        ),
        rx.cond(
            TableState.labels.length() > 0,
            _pick(
                "label",
                tr("Label"),
                rx.el.option(tr("Any label"), value=""),
                options(TableState.labels),
                value=chosen.get("label", ""),
            ),
        ),
        rx.el.button(
            icon("moon", size=14),
            tr("Quiet"),
            type="button",
            class_name="btn btn-line btn-sm",
            on_click=TableState.set_filter("quiet", rx.cond(chosen.get("quiet", "") == "yes", "", "yes")),
            custom_attrs={"aria-pressed": chosen.get("quiet", "") == "yes"},
            data_testid="deals-filter-quiet",
        ),
        rx.popover.root(
            rx.popover.trigger(
                button(
                    icon("list-filter", size=14),
                    tr("More"),
                    look="line",
                    size="btn-sm",
                    data_testid="deals-more-filters",
                )
            ),
            rx.popover.content(
                rx.el.div(
                    _named("person", tr("Person"), TableState.person_name, TableState.people),
                    _named("organization", tr("Organization"), TableState.organization_name, TableState.organizations),
                    _typed("value_from", tr("Value from"), "text", inputmode="decimal"),
                    _typed("value_to", tr("Value to"), "text", inputmode="decimal"),
                    _typed("close_from", tr("Closes from"), "date"),
                    _typed("close_to", tr("Closes until"), "date"),
                    class_name="filter-grid",
                    key=TableState.version,
                ),
                class_name="pop",
            ),
        ),
        rx.cond(
            TableState.filtered,
            button(tr("Clear"), look="ghost", size="btn-sm", on_click=TableState.clear, data_testid="deals-clear"),
        ),
        rx.el.span(class_name="grow"),
        rx.el.span(TableState.total, class_name="t1 dim num", data_testid="deals-total", role="status"),
        rx.popover.root(
            rx.popover.trigger(icon_button("settings-2", tr("Columns"), data_testid="deals-columns")),
            rx.popover.content(
                rx.el.div(*[_column_item(name, label) for name, label in _columns()], class_name="col column-list"),
                class_name="pop",
                align="end",
            ),
        ),
        class_name="table-bar",
    )


def _bulk() -> rx.Component:
    return rx.el.div(
        rx.el.span(trn("{n} chosen", "{n} chosen", TableState.picked.length()), class_name="b num", role="status"),
        _bulk_pick("stage", tr("Move to stage"), TableState.stages),
        _bulk_pick("owner", tr("Give to"), TableState.owners),
        rx.el.span(class_name="grow"),
        button(tr("Cancel"), look="ghost", size="btn-sm", on_click=TableState.pick_all),
        class_name="table-bar",
        data_testid="deals-bulk",
    )


def _bulk_pick(what: str, label: rx.Var[str], rows: rx.Var[list[Choice]]) -> rx.Component:
    change: Any = lambda chosen: TableState.change(what, chosen)  # noqa: E731  an event takes a function
    return do_with(label, change, f"deals-bulk-{what}", options(rows))


def _columns() -> list[tuple[str, rx.Var[str]]]:
    return [
        ("organization", tr("Organization")),
        ("person", tr("Person")),
        ("value", tr("Value")),
        ("stage", tr("Stage")),
        ("owner", tr("Owner")),
        ("close", tr("Expected close")),
        ("next", tr("Next step")),
        ("mail", tr("Last email")),
        ("labels", tr("Labels")),
        ("created", tr("Created")),
    ]


def _column_item(name: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="checkbox",
            class_name="tick-box",
            checked=TableState.shown.contains(name),
            on_change=TableState.toggle_column(name),
            data_testid=f"deals-column-{name}",
        ),
        label,
        class_name="menu-item",
    )


def _head(name: str, label: rx.Var[str]) -> rx.Component:
    sorts = {"value": "value", "close": "close", "created": "newest"}.get(name)
    inner = _sorter(sorts, label) if sorts else label
    return rx.cond(TableState.shown.contains(name), rx.el.th(inner, class_name="n" if name == "value" else ""))


def _sorter(order: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        label,
        rx.cond(TableState.order == order, icon("arrow-up" if order in ("title", "close") else "arrow-down", size=12)),
        type="button",
        class_name="plain-btn row gap4",
        on_click=TableState.sort(order),
        data_testid=f"deals-sort-{order}",
    )


def _table() -> rx.Component:
    return rx.fragment(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    pick_all(
                        TableState.picked.length() == TableState.rows.length(), TableState.pick_all, "deals-pick-all"
                    ),
                    rx.el.th(_sorter("title", tr("Title"))),
                    *[_head(name, label) for name, label in _columns()],
                )
            ),
            rx.el.tbody(rx.foreach(TableState.rows, _row)),
            class_name="table deals-table",
        ),
        rx.cond(
            TableState.cursor != "",
            rx.el.div(
                button(tr("Load more"), on_click=TableState.more, data_testid="deals-more"), class_name="more-row"
            ),
        ),
    )


def _row(row: rx.Var[TableRow]) -> rx.Component:
    cells = {
        "organization": rx.el.span(row.organization, class_name="cut", dir="auto"),
        "person": rx.el.span(row.person, class_name="cut", dir="auto"),
        "value": rx.el.span(row.value, class_name="num"),
        "stage": rx.cond(
            row.status != "",
            rx.el.span(row.status, class_name="chip"),
            rx.el.span(row.stage, class_name="cut", dir="auto"),
        ),
        "owner": rx.el.span(row.owner, class_name="cut dim", dir="auto"),
        "close": rx.el.span(row.close, class_name="num", custom_attrs={"data-tone": rx.cond(row.late, "late", "")}),
        "next": rx.el.span(row.next, class_name="cut card-step", dir="auto", custom_attrs={"data-tone": row.tone}),
        "mail": rx.el.span(row.mail, class_name="num dim"),
        "labels": labels_cell(row.labels),
        "created": rx.el.span(row.created, class_name="num dim"),
    }
    return rx.el.tr(
        pick_one(TableState.picked.contains(row.id), TableState.pick(row.id), row.title, "deal-pick"),
        rx.el.td(
            rx.el.a(row.title, href=row.href, class_name="b cut row-title", dir="auto"),
            custom_attrs={"data-quiet": row.quiet},
        ),
        *[
            rx.cond(TableState.shown.contains(name), rx.el.td(cell, class_name="n" if name == "value" else ""))
            for name, cell in cells.items()
        ],
        data_testid="deal-row",
        custom_attrs={"data-deal-id": row.id},
        key=row.id,
    )
