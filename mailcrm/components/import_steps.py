"""One import: how its file is read, what each column becomes, what would happen, how far it is, what came of it."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.components.import_start import ENCODINGS, bad_lines_link, undo_button
from mailcrm.components.settings import option
from mailcrm.components.states import wrong
from mailcrm.state.i18n import tr
from mailcrm.state.importing import ColumnRow, ImportState, ProblemRow

_open = ImportState.open


def import_steps() -> rx.Component:
    """Return the import that is open."""
    return rx.fragment(
        rx.el.div(
            button(
                icon("arrow-left", cls="flip"),
                tr("All imports"),
                look="ghost",
                on_click=ImportState.leave,
                data_testid="import-back",
            ),
            rx.el.span(_open.filename, class_name="b cut", dir="auto"),
            rx.el.span(_open.kind_label, class_name="chip"),
            rx.cond(_open.pipedrive, rx.el.span("Pipedrive", class_name="chip", data_testid="import-pipedrive")),
            rx.el.span(tr("{n} lines", n=_open.rows), class_name="dim"),
            class_name="row wrap import-head",
        ),
        rx.match(
            _open.state,
            ("draft", _draft()),
            ("running", _running()),
            _ended(),
        ),
    )


def _draft() -> rx.Component:
    return rx.fragment(
        option(
            tr("The file"),
            tr("How it is written. Change it when names look wrong below."),
            _select(
                tr("Encoding"), "encoding", _open.encoding, [(name, name) for name in ENCODINGS], other=_open.encoding
            ),
            _select(
                tr("Delimiter"),
                "delimiter",
                _open.delimiter,
                [
                    ("comma", tr("Comma")),
                    ("semicolon", tr("Semicolon")),
                    ("tab", tr("Tab")),
                    ("bar", tr("Vertical bar")),
                ],
            ),
            _switch("header", tr("The first line names the columns"), _open.header),
        ),
        rx.el.section(
            rx.el.div(
                rx.el.h3(tr("Columns"), class_name="b"),
                rx.el.p(tr("What each column becomes. Those that are left out are not imported."), class_name="dim"),
            ),
            rx.el.div(
                rx.el.table(
                    rx.el.thead(
                        rx.el.tr(rx.el.th(tr("Column")), rx.el.th(tr("First values")), rx.el.th(tr("Becomes"))),
                    ),
                    rx.el.tbody(rx.foreach(ImportState.columns, _column)),
                    class_name="table import-columns",
                    data_testid="import-columns",
                ),
                class_name="ledger-box",
            ),
            rx.cond(_open.unnamed != "", wrong(_open.unnamed)),
            class_name="option option-wide",
        ),
        option(
            tr("How cells are read"),
            tr("Recognised from the file, where it can tell."),
            _select(
                tr("Days"),
                "order",
                _open.order,
                [
                    ("", tr("Year, month, day, or as they are")),
                    ("dmy", tr("Day, month, year (31.1.2026)")),
                    ("mdy", tr("Month, day, year (1/31/2026)")),
                    ("ymd", tr("Year, month, day (2026-01-31)")),
                ],
            ),
            rx.cond(
                _open.wants_order & (_open.order == ""),
                wrong(tr("Days such as 1/2/2026 may be read in two ways. Choose the order of day and month.")),
            ),
            _select(
                tr("Amounts"),
                "decimals",
                _open.decimals,
                [("", tr("As they are")), (".", tr("With a point (1,234.50)")), (",", tr("With a comma (1.234,50)"))],
            ),
            _switch("change", tr("Change what is there already"), _open.change),
            rx.cond(
                (_open.kind == "deal") & ImportState.may_make,
                _switch("make_stages", tr("Make pipelines and stages that are missing"), _open.make_stages),
            ),
        ),
        rx.el.section(
            rx.cond(ImportState.looked, _look()),
            rx.el.div(
                rx.cond(
                    ImportState.looked & ~ImportState.look.nothing,
                    button(
                        icon("check"),
                        tr("Import"),
                        look="ink",
                        on_click=ImportState.start(_open.id),
                        data_testid="import-start",
                    ),
                ),
                rx.cond(
                    ~ImportState.looked,
                    button(
                        rx.cond(ImportState.looking, tr("Checking"), tr("Check the file")),
                        look="ink",
                        on_click=ImportState.check(_open.id),
                        disabled=ImportState.looking,
                        data_testid="import-check",
                    ),
                ),
                button(
                    tr("Discard"), look="ghost", on_click=ImportState.discard(_open.id), data_testid="import-discard"
                ),
                class_name="row gap12",
            ),
            class_name="option option-wide",
        ),
    )


def _look() -> rx.Component:
    look = ImportState.look
    return rx.el.div(
        _counts(
            (tr("To be made"), look.made, "made"),
            (tr("To be changed"), look.changed, "changed"),
            (tr("There already"), look.same, "same"),
            (tr("With errors"), look.wrong, "wrong"),
        ),
        rx.cond(
            look.also != "",
            rx.el.p(tr("Made besides: {list}", list=look.also), class_name="dim", data_testid="import-also"),
        ),
        rx.cond(look.has_wrong, _problems()),
        class_name="col gap12",
        role="status",
        data_testid="import-look",
    )


def _running() -> rx.Component:
    return rx.el.section(
        rx.el.p(tr("{done} of {rows} lines", done=_open.done, rows=_open.rows), class_name="b"),
        rx.el.progress(value=_open.percent, max=100, aria_label=tr("Importing"), class_name="import-bar"),
        rx.el.p(tr("It goes on when you leave this page."), class_name="dim"),
        class_name="option option-wide",
        role="status",
        data_testid="import-running",
    )


def _ended() -> rx.Component:
    return rx.el.section(
        rx.cond(_open.error != "", wrong(_open.error)),
        rx.cond(
            _open.state == "undone",
            rx.el.p(tr("This import is undone: what it made is in the trash."), class_name="note"),
        ),
        _counts(
            (tr("Made"), _open.made, "made"),
            (tr("Changed"), _open.changed, "changed"),
            (tr("There already"), _open.same, "same"),
            (tr("With errors"), _open.wrong, "wrong"),
        ),
        rx.cond(_open.has_wrong, _problems()),
        rx.el.div(undo_button(_open), class_name="row"),
        class_name="option option-wide",
        data_testid="import-ended",
        custom_attrs={"data-state": _open.state},
    )


def _counts(*counts: tuple[Any, Any, str]) -> rx.Component:
    return rx.el.dl(
        *[
            rx.el.div(
                rx.el.dt(label, class_name="t1 dim"),
                rx.el.dd(count, class_name="t5", data_testid=f"import-{name}"),
                class_name="figure",
            )
            for label, count, name in counts
        ],
        class_name="figures",
    )


def _problems() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.p(tr("These lines are left out. The others are imported."), class_name="grow"),
            bad_lines_link(_open.bad_lines),
            class_name="row wrap",
        ),
        rx.el.div(
            rx.el.table(
                rx.el.thead(rx.el.tr(rx.el.th(tr("Line")), rx.el.th(tr("What to do")))),
                rx.el.tbody(rx.foreach(ImportState.problems, _problem)),
                class_name="table ledger",
                data_testid="import-problems",
            ),
            class_name="ledger-box import-problems",
            tab_index=0,
            role="region",
            aria_label=tr("With errors"),
        ),
        class_name="col gap12",
    )


def _problem(row: rx.Var[ProblemRow]) -> rx.Component:
    return rx.el.tr(rx.el.td(row.line, class_name="n import-line"), rx.el.td(row.sentence, dir="auto"))


def _column(row: rx.Var[ColumnRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.name, class_name="b", dir="auto"),
        rx.el.td(row.samples, class_name="dim cut", dir="auto"),
        rx.el.td(
            rx.el.select(
                rx.foreach(ImportState.choices, lambda each: rx.el.option(each.label, value=each.key, key=each.key)),
                value=row.key,
                on_change=lambda key: ImportState.map_column(_open.id, row.at, key),
                class_name="pick",
                aria_label=row.name,
                data_testid="import-map",
            )
        ),
        custom_attrs={"data-left-out": row.key == ""},
        key=row.at,
    )


def _select(label: Any, name: str, value: Any, options: list[tuple[Any, Any]], other: Any = None) -> rx.Component:
    """Return a labelled select; `other` is a value that may be none of the options."""
    more = [rx.el.option(other, value=other, hidden=True)] if other is not None else []
    return rx.el.label(
        rx.el.span(label),
        rx.el.select(
            *[rx.el.option(text, value=each) for each, text in options],
            *more,
            value=value,
            on_change=lambda chosen: ImportState.set_text(_open.id, name, chosen),
            class_name="pick",
            data_testid=f"import-{name}",
        ),
        class_name="pick-line",
    )


def _switch(name: str, label: Any, checked: Any) -> rx.Component:
    return rx.el.div(
        rx.el.label(label, html_for=f"import-{name}", class_name="grow"),
        rx.switch(
            id=f"import-{name}",
            checked=checked,
            on_change=lambda on: ImportState.set_flag(_open.id, name, on),
            size="1",
            data_testid=f"import-{name}",
        ),
        class_name="switch-row",
    )
