"""Settings › Audit log: who did what when; administrators read it, mail is never in it."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones, empty
from mailcrm.state.audit_log import AuditLogState, AuditRow
from mailcrm.state.i18n import tr


def settings_audit() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.el.p(
            tr("Who did what to accounts, the workspace and the CRM. Email is never listed here."),
            class_name="dim dlg-text",
        ),
        rx.cond(
            AuditLogState.failed,
            empty(
                "triangle-alert",
                tr("The audit log could not be read"),
                tr("Try again in a moment."),
                button(tr("Try again"), on_click=AuditLogState.load),
            ),
            rx.cond(
                AuditLogState.loaded,
                rx.cond(AuditLogState.admin, rx.fragment(_filters(), _list()), _members()),
                bones(6),
            ),
        ),
        rx.cond(
            AuditLogState.before > 0,
            rx.el.div(button(tr("Load more"), on_click=AuditLogState.more, data_testid="audit-more"), class_name="row"),
        ),
        here="audit",
        title=tr("Audit log"),
    )


def _members() -> rx.Component:
    return empty("shield", tr("Only administrators read the audit log"), tr("Ask one of them what you need to know."))


def _filters() -> rx.Component:
    return rx.el.div(
        rx.el.select(
            rx.el.option(tr("Everything"), value=""),
            rx.el.option(tr("Accounts"), value="accounts"),
            rx.el.option(tr("Workspace"), value="workspace"),
            rx.el.option(tr("Mailboxes"), value="mailboxes"),
            rx.el.option(tr("CRM"), value="records"),
            value=AuditLogState.group,
            on_change=AuditLogState.choose_group,
            class_name="pick",
            aria_label=tr("Show"),
            data_testid="audit-group",
        ),
        rx.el.select(
            rx.el.option(tr("Everybody"), value=""),
            rx.foreach(AuditLogState.people, lambda each: rx.el.option(each.name, value=each.id, key=each.id)),
            value=AuditLogState.person,
            on_change=AuditLogState.choose_person,
            class_name="pick",
            aria_label=tr("Who"),
            data_testid="audit-person",
        ),
        class_name="audit-filters",
    )


def _list() -> rx.Component:
    return rx.cond(
        AuditLogState.rows.length() > 0,
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(rx.el.th(tr("When")), rx.el.th(tr("Who")), rx.el.th(tr("What")), rx.el.th(tr("Concerns")))
                ),
                rx.el.tbody(rx.foreach(AuditLogState.rows, _row)),
                class_name="table audit-table",
                data_testid="audit-list",
            ),
            class_name="ledger-box",
        ),
        empty("scroll-text", tr("Nothing to show"), tr("What people do is listed here from now on.")),
    )


def _row(row: rx.Var[AuditRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.when, class_name="dim"),
        rx.el.td(rx.el.span(row.who, class_name="b", dir="auto")),
        rx.el.td(row.what),
        rx.el.td(
            rx.cond(
                row.href != "",
                rx.el.a(row.about, href=row.href, class_name="link"),
                rx.el.span(row.about, dir="auto"),
            )
        ),
        data_testid="audit-row",
        key=row.id,
    )
