"""How a mailbox's sync goes (M31): progress, what is so, the ledger, the comparison with the server, what was set aside."""

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.help import help_mark
from mailcrm.components.icons import icon
from mailcrm.components.ledger import ledger_table, trouble_button
from mailcrm.components.sync_writes import unwritten
from mailcrm.state.i18n import tr
from mailcrm.state.settings import MailboxesState
from mailcrm.state.settings_health import HealthState, Line, SetAside


def importing() -> rx.Component:
    """Return the progress of a sync under way, nothing otherwise."""
    return rx.cond(
        HealthState.percent >= 0,
        rx.el.div(
            rx.el.div(
                rx.el.span(tr("Importing email"), class_name="b grow"),
                rx.el.span(HealthState.progress, class_name="dim num"),
                class_name="row",
            ),
            rx.el.progress(
                value=HealthState.percent, max=100, aria_label=tr("Importing email"), class_name="import-bar"
            ),
            rx.el.div(
                rx.el.p(tr("Newest first. You can start working now."), class_name="t1 dim grow"),
                rx.el.p(HealthState.speed, class_name="t1 dim num", data_testid="sync-speed"),
                class_name="row",
            ),
            class_name="card importing",
            data_testid="sync-progress",
        ),
    )


def sync_health() -> rx.Component:
    """Return the section."""
    return rx.el.section(
        rx.el.div(
            rx.el.div(rx.el.h3(tr("Sync health"), class_name="b"), help_mark("ledger"), class_name="row gap4"),
            rx.el.p(
                tr(
                    "Every message on the server is stored, skipped, set aside or pending. Nothing goes missing in between."
                ),
                class_name="dim",
            ),
        ),
        rx.cond(HealthState.trouble != "", _trouble()),
        rx.el.ul(rx.foreach(HealthState.lines, _line), _verified(), class_name="health-lines"),
        unwritten(),
        ledger_table(),
        rx.cond(HealthState.aside.length() > 0, _set_aside()),
        class_name="option option-wide",
        id="sync-health",
    )


def _trouble() -> rx.Component:
    return rx.el.div(
        icon("triangle-alert"),
        rx.el.p(HealthState.trouble, class_name="grow"),
        trouble_button(HealthState.trouble_act, HealthState.trouble_label),
        class_name="note note-bad",
        role="alert",
        data_testid="sync-trouble",
    )


def _line(line: rx.Var[Line]) -> rx.Component:
    return rx.el.li(
        dot(line.kind),
        rx.el.span(line.text, class_name="grow"),
        rx.el.span(line.at, class_name="dim num"),
        class_name="health-line",
        key=line.key,
    )


def dot(kind: rx.Var[str]) -> rx.Component:
    """Return the sign of a state; the words beside it say the same."""
    return rx.match(
        kind,
        ("ok", rx.el.span(class_name="dot dot-ok")),
        ("syncing", icon("loader-circle", size=12, cls="spin")),
        ("run", icon("loader-circle", size=12, cls="spin")),
        ("warn", rx.el.span(class_name="dot dot-warn")),
        ("bad", rx.el.span(class_name="dot dot-bad")),
        rx.el.span(class_name="dot dot-off"),
    )


def _verified() -> rx.Component:
    return rx.el.li(
        rx.el.div(
            dot(HealthState.verify_kind),
            rx.el.span(HealthState.verify_text, class_name="grow", role="status", data_testid="verify-status"),
            button(
                tr("Verify now"),
                size="btn-sm",
                on_click=HealthState.verify,
                disabled=HealthState.verifying,
                data_testid="verify-now",
            ),
            class_name="row gap12",
        ),
        rx.cond(
            HealthState.verify_percent >= 0,
            rx.el.progress(
                value=HealthState.verify_percent, max=100, aria_label=tr("Verify now"), class_name="import-bar"
            ),
        ),
        rx.cond(
            HealthState.findings.length() > 0,
            rx.el.ul(
                rx.foreach(HealthState.findings, rx.el.li),
                class_name="t1 dim findings",
                data_testid="verify-findings",
            ),
        ),
        class_name="health-line health-verify",
    )


def _set_aside() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.div(
                rx.el.h4(tr("Set aside"), class_name="b"),
                rx.el.p(
                    tr(
                        "These could not be read. They stay on the server, and a newer mailcrm tries them again by itself."
                    ),
                    class_name="t1 dim",
                ),
                class_name="grow",
            ),
            button(
                tr("Try all again"), size="btn-sm", on_click=HealthState.retry(0), data_testid="quarantine-retry-all"
            ),
            class_name="row gap12",
        ),
        rx.el.ul(rx.foreach(HealthState.aside, _item), class_name="aside-list", data_testid="quarantine-list"),
        rx.cond(HealthState.aside_more != "", rx.el.p(HealthState.aside_more, class_name="t1 dim")),
        class_name="col gap6",
        id="set-aside",
    )


def _item(item: rx.Var[SetAside]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.p(
                rx.el.span(item.who, class_name="b", dir="auto"),
                rx.cond(item.subject != "", rx.el.span(item.subject, dir="auto")),
                class_name="cut aside-who",
            ),
            rx.el.p(item.reason, class_name="t1"),
            rx.el.p(
                rx.el.span(item.folder, dir="auto"),
                rx.el.span(item.at, class_name="num"),
                rx.el.span(item.size, class_name="num"),
                class_name="t1 dim row gap12",
            ),
            class_name="grow aside-words",
        ),
        rx.cond(
            item.raw_url != "",
            rx.el.a(
                icon("download", size=14),
                tr("Source"),
                href=item.raw_url,
                download=item.raw_name,
                target="_blank",
                rel="noopener",
                class_name="btn btn-soft btn-sm",
                data_testid="quarantine-raw",
            ),
        ),
        button(tr("Try again"), size="btn-sm", on_click=HealthState.retry(item.id), data_testid="quarantine-retry"),
        class_name="aside-item",
        key=item.id,
        data_testid="quarantine-item",
    )


def sync_button(mailbox_id: rx.Var[int]) -> rx.Component:
    """Return the button that asks for a sync."""
    return button(
        tr("Sync now"), size="btn-sm", on_click=MailboxesState.sync_now(mailbox_id), data_testid="mailbox-sync"
    )
