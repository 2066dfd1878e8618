"""The ledger of a mailbox (M31): for each folder what the server has and where each message of it is."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.settings import MailboxesState
from mailcrm.state.settings_health import HealthState, LedgerRow


def ledger_table() -> rx.Component:
    """Return the table; on a narrow screen it scrolls by itself."""
    return rx.cond(
        HealthState.ledger.length() > 0,
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        rx.el.th(tr("Folder")),
                        _number(tr("Server"), tr("Messages in the folder on the server")),
                        _number(tr("Stored"), tr("Messages stored here")),
                        _number(tr("Skipped"), tr("Left on the server on purpose")),
                        _number(tr("Set aside"), tr("Could not be read; kept with the reason")),
                        _number(tr("Pending"), tr("Still to be fetched")),
                        rx.el.th(tr("Last success")),
                        rx.el.th(tr("Next try")),
                    )
                ),
                rx.el.tbody(rx.foreach(HealthState.ledger, _row)),
                rx.el.tfoot(_counts(HealthState.total, total=True)),
                class_name="table ledger",
            ),
            class_name="ledger-box",
            data_testid="sync-ledger",
            tab_index=0,
            role="region",
            aria_label=tr("Sync ledger"),
        ),
        rx.el.p(tr("The folders show up with the first sync."), class_name="dim", data_testid="sync-ledger"),
    )


def trouble_button(act: rx.Var[str], label: rx.Var[str]) -> rx.Component:
    """Return the one button that helps: sync now, go to the password or to what was set aside, or copy the details."""
    return rx.match(
        act,
        ("password", rx.el.a(label, href="#reconnect", class_name="btn btn-soft btn-sm")),
        ("aside", rx.el.a(label, href="#set-aside", class_name="btn btn-soft btn-sm")),
        ("copy", button(label, size="btn-sm", on_click=HealthState.copy_details)),
        button(
            label,
            size="btn-sm",
            on_click=MailboxesState.sync_now(HealthState.mailbox_id),
            data_testid="trouble-button",
        ),
    )


def _number(label: rx.Var[str], title: rx.Var[str]) -> rx.Component:
    return rx.el.th(label, title=title, class_name="n")


def _row(row: rx.Var[LedgerRow]) -> rx.Component:
    return rx.fragment(
        _counts(row),
        rx.cond(
            (row.error != "") | (row.reasons != ""),
            rx.el.tr(
                rx.el.td(
                    rx.cond(row.reasons != "", rx.el.p(row.reasons, class_name="t1 dim")),
                    rx.cond(
                        row.error != "",
                        rx.el.div(
                            rx.el.span(icon("triangle-alert", size=14), rx.el.span(row.error), class_name="wrong grow"),
                            trouble_button(row.act, row.label),
                            class_name="row ledger-wrong",
                        ),
                    ),
                    col_span=8,
                ),
                class_name="ledger-error",
            ),
        ),
        key=row.key,
    )


def _counts(row: rx.Var[LedgerRow], *, total: bool = False) -> rx.Component:
    cell = rx.el.th if total else rx.el.td
    return rx.el.tr(
        cell(rx.el.span(row.folder, class_name="cut", dir="auto", title=row.folder), class_name="ledger-name"),
        cell(row.server, class_name="n"),
        cell(row.stored, class_name="n"),
        cell(row.skipped, class_name="n"),
        cell(row.quarantined, class_name="n"),
        cell(row.pending, class_name="n"),
        cell(row.last, class_name="num dim"),
        cell(row.next, class_name="num dim"),
        custom_attrs={"data-folder": row.folder, "data-odd": row.odd},
    )
