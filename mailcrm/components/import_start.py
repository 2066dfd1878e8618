"""Where an import begins: a form with a file, earlier imports, and exports."""

from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button
from mailcrm.components.forms import NativeForm
from mailcrm.components.icons import icon
from mailcrm.components.settings import option
from mailcrm.state.i18n import tr
from mailcrm.state.importing import ImportRow, ImportState

#: In the order of the design's navigation; the encodings are those that people meet, all of them can be chosen later.
ENCODINGS = ("UTF-8", "UTF-16 LE", "UTF-16 BE", "Shift_JIS", "EUC-JP", "Windows-1252", "Windows-1250", "Windows-1251", "GB18030", "Big5", "EUC-KR")  # fmt: skip
#: Submits as soon as a file is there: nothing is imported by it, only read.
_SEND = rx.Var("(e) => { if (e.currentTarget.files.length) e.currentTarget.form.requestSubmit(); }")


def import_start() -> rx.Component:
    """Return the page's beginning."""
    return rx.fragment(
        option(
            tr("Import a file"),
            tr(
                "A CSV file: an export of Pipedrive or of mailcrm, or a sheet of your own. Nothing is changed before you have seen what would happen."
            ),
            _form(),
        ),
        option(
            tr("Export"),
            tr("Everything that you may see, as CSV for spreadsheets. It can be imported again."),
            rx.el.div(
                *[
                    rx.el.a(
                        icon("download"),
                        label,
                        href=routes.export(kinds),
                        class_name="btn btn-soft",
                        custom_attrs={"download": ""},
                        reload_document=True,
                        data_testid=f"export-{kinds}",
                    )
                    for kinds, label in (
                        ("persons", tr("People")),
                        ("organizations", tr("Organizations")),
                        ("deals", tr("Deals")),
                        ("leads", tr("Leads")),
                    )
                ],
                class_name="row wrap",
            ),
        ),
        rx.cond(
            ImportState.rows.length() > 0,
            rx.el.section(
                rx.el.h3(tr("Your imports"), class_name="b"),
                rx.el.ul(rx.foreach(ImportState.rows, _row), class_name="people-rows", data_testid="import-list"),
                class_name="option option-wide",
            ),
        ),
    )


def undo_button(row: Any) -> rx.Component:
    """Return the button that undoes an import, where that can be done."""
    return rx.cond(
        row.can_undo,
        button(
            icon("undo-2"), tr("Undo"), size="btn-sm", on_click=ImportState.ask_undo(row.id), data_testid="import-undo"
        ),
    )


def bad_lines_link(href: Any) -> rx.Component:
    """Return the link that downloads the lines with errors."""
    return rx.el.a(
        icon("download"),
        tr("Download the lines with errors"),
        href=href,
        class_name="btn btn-soft btn-sm",
        custom_attrs={"download": ""},
        reload_document=True,
        data_testid="import-bad-lines",
    )


def _form() -> rx.Component:
    return NativeForm.create(
        rx.el.div(
            *[
                rx.el.label(
                    rx.el.input(
                        type="radio",
                        name="kind",
                        value=kind,
                        default_checked=kind == "person",
                        class_name="seg-radio",
                        data_testid=f"import-kind-{kind}",
                    ),
                    rx.el.span(label),
                )
                for kind, label in (
                    ("person", tr("People")),
                    ("organization", tr("Organizations")),
                    ("deal", tr("Deals")),
                    ("lead", tr("Leads")),
                )
            ],
            class_name="seg seg-box seg-radios",
            role="radiogroup",
            aria_label=tr("What is in the file"),
        ),
        rx.el.label(
            icon("file-up", size=20),
            rx.el.span(tr("Drop a CSV file here, or choose one"), class_name="b"),
            rx.el.span(tr("At most 20 MB and 100,000 lines"), class_name="t1 dim"),
            rx.el.input(
                type="file",
                name="file",
                accept=".csv,.tsv,.txt,text/csv,text/tab-separated-values,text/plain",
                custom_attrs={"onChange": _SEND},
                aria_label=tr("Choose a CSV file"),
                data_testid="import-file",
            ),
            class_name="file-drop",
        ),
        rx.el.label(
            rx.el.span(tr("Encoding"), class_name="dim"),
            rx.el.select(
                rx.el.option(tr("Recognise it"), value=""),
                *[rx.el.option(name, value=name) for name in ENCODINGS],
                name="encoding",
                class_name="pick",
                data_testid="import-upload-encoding",
            ),
            class_name="row gap12 pick-line",
        ),
        action=routes.IMPORTS,
        method="post",
        custom_attrs={"encType": "multipart/form-data"},
        class_name="col gap12",
    )


def _row(row: rx.Var[ImportRow]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(
                rx.el.span(row.filename, class_name="b cut", dir="auto"),
                rx.el.span(row.kind_label, class_name="chip"),
                class_name="row gap6",
            ),
            rx.el.span(row.said, " · ", row.when, class_name="t1 dim"),
            type="button",
            class_name="plain-button col grow",
            on_click=ImportState.choose(row.id),
            data_testid="import-open",
        ),
        rx.cond(row.has_wrong, bad_lines_link(row.bad_lines)),
        undo_button(row),
        class_name="people-row",
        data_testid="import-row",
        custom_attrs={"data-state": row.state},
        key=row.id,
    )
