"""The tracking report: five figures, their course, templates, persons, the week's hours and the links (DESIGN §3 j)."""

from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.components.buttons import button
from mailcrm.components.help import help_mark
from mailcrm.components.icons import icon
from mailcrm.components.line_chart import line_chart
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.tracking_report import TrackingReportState
from mailcrm.state.tracking_rows import Day, Hour, Kpi, Share, TableLine

STATE = TrackingReportState


def tracking_report() -> rx.Component:
    """Return the page."""
    return shell(
        rx.el.header(
            rx.el.h1(tr("Email tracking"), class_name="t3 grow"),
            _periods(),
            _menu("at-sign", STATE.mailbox, tr("All mailboxes"), "mailbox", STATE.mailboxes),
            _menu("user-round", STATE.member, tr("Everyone"), "member", STATE.members),
            rx.el.a(
                icon("download", size=14),
                rx.el.span("CSV"),
                href=STATE.download,
                download="",
                reload_document=True,
                class_name="btn btn-line",
                aria_label=tr("Download as CSV"),
                data_testid="report-csv",
            ),
            class_name="bar bar-line report-bar",
        ),
        rx.el.div(
            rx.cond(
                STATE.failed != "",
                empty(
                    "cloud-off",
                    tr("Couldn’t load the report"),
                    STATE.failed,
                    button(tr("Try again"), on_click=STATE.open_page),
                ),
                rx.cond(
                    ~STATE.loaded & (STATE.figures.length() == 0),
                    bones(6),
                    rx.cond(STATE.nothing, _nothing(), _report()),
                ),
            ),
            class_name="scroll report",
            aria_busy=STATE.loading,
            data_testid="report",
        ),
        here="reports",
    )


def _nothing() -> rx.Component:
    return empty(
        "chart-line",
        tr("Nothing tracked in this time"),
        tr("Switch tracking on in an email, or for a mailbox. What recipients do shows up here."),
        rx.el.a(tr("Email sync"), href=routes.SETTINGS_SYNC, class_name="btn btn-soft"),
    )


def _periods() -> rx.Component:
    periods = {
        7: tr("Last 7 days"), 28: tr("Last 28 days"), 90: tr("Last 90 days"), 365: tr("Last 12 months"),
    }  # fmt: skip
    return rx.dropdown_menu.root(
        rx.dropdown_menu.trigger(_chooser("calendar", STATE.period, tr("Period"), "report-period")),
        rx.dropdown_menu.content(
            *[
                rx.dropdown_menu.item(words, on_select=STATE.choose("days", days), data_testid=f"report-days-{days}")
                for days, words in periods.items()
            ],
            align="end",
        ),
    )


def _menu(picture: str, shown: rx.Var[str], everything: rx.Var[str], what: str, found: rx.Var[Any]) -> rx.Component:
    return rx.cond(
        found.length() > 1,
        rx.dropdown_menu.root(
            rx.dropdown_menu.trigger(
                _chooser(picture, shown, tr("Mailbox") if what == "mailbox" else tr("Team member"), f"report-{what}")
            ),
            rx.dropdown_menu.content(
                rx.dropdown_menu.item(everything, on_select=STATE.choose(what, 0)),
                rx.foreach(
                    found,
                    lambda each: rx.dropdown_menu.item(
                        rx.el.bdi(each[1]), on_select=STATE.choose(what, each[0]), key=each[0]
                    ),
                ),
                align="end",
            ),
        ),
    )


def _chooser(picture: str, shown: rx.Var[str], label: rx.Var[str], testid: str) -> rx.Component:
    return button(
        icon(picture, size=14),
        rx.el.span(label, ":", class_name="sr"),
        rx.el.span(shown, class_name="cut", dir="auto"),
        icon("chevron-down", size=14),
        look="line",
        data_testid=testid,
    )


def _report() -> rx.Component:
    return rx.fragment(
        rx.el.dl(rx.foreach(STATE.figures, _kpi), class_name="kpis", data_testid="report-figures"),
        rx.el.section(
            rx.el.header(
                rx.el.div(
                    rx.el.h2(tr("Opened and clicked"), class_name="b"),
                    help_mark("certainty"),
                    class_name="row gap4 grow",
                ),
                _whose(),
                rx.el.span(rx.el.span(class_name="key key-open"), tr("Opened"), class_name="row gap6 dim"),
                rx.el.span(rx.el.span(class_name="key key-click"), tr("Clicked"), class_name="row gap6 dim"),
                class_name="row gap12 report-head",
            ),
            line_chart(STATE.course),
        ),
        rx.el.section(
            rx.el.header(
                rx.el.h2(tr("By template"), class_name="b grow"),
                rx.el.p(
                    rx.cond(
                        STATE.raw,
                        tr("Automatic opens and security checks are in these numbers."),
                        tr("Automatic opens by Apple Mail aren’t counted. Gmail’s are: it opens when a person does."),
                    ),
                    class_name="t1 dim",
                ),
                class_name="row gap12 report-head",
            ),
            _table(tr("Template"), STATE.templates),
            data_testid="report-templates",
        ),
        rx.cond(
            STATE.people.length() > 0,
            rx.el.section(
                rx.el.header(
                    rx.el.h2(tr("By person"), class_name="b grow"),
                    rx.el.p(tr("An email to several people counts for each of them."), class_name="t1 dim"),
                    class_name="row gap12 report-head",
                ),
                _table(tr("Person"), STATE.people),
                data_testid="report-people",
            ),
        ),
        rx.el.div(
            rx.cond(STATE.week.length() > 0, _week()),
            rx.cond(STATE.links.length() > 0, _links()),
            class_name="report-two",
        ),
    )


def _whose() -> rx.Component:
    def choice(raw: bool, words: rx.Var[str], testid: str) -> rx.Component:
        return rx.el.button(
            words,
            type="button",
            on_click=STATE.show_raw(raw),
            data_testid=testid,
            custom_attrs={"aria-pressed": STATE.raw == raw},
        )

    return rx.el.div(
        choice(False, tr("Likely persons"), "report-filtered"),
        choice(True, tr("Everything recorded"), "report-raw"),
        class_name="seg seg-box",
        role="group",
        aria_label=tr("What is counted"),
    )


def _kpi(row: rx.Var[Kpi]) -> rx.Component:
    return rx.el.div(
        rx.el.dt(row.label),
        rx.el.dd(row.value, class_name="kpi num"),
        rx.cond(row.note != "", rx.el.dd(row.note, class_name="t1 dim")),
        rx.cond(
            row.change != "",
            rx.el.dd(
                rx.match(
                    row.way,
                    ("up", rx.fragment(icon("arrow-up", size=12), rx.el.span(tr("up"), class_name="sr"))),
                    ("down", rx.fragment(icon("arrow-down", size=12), rx.el.span(tr("down"), class_name="sr"))),
                    rx.fragment(),
                ),
                row.change,
                class_name="row gap4 t1 num kpi-change",
                custom_attrs={"data-tone": row.tone},
            ),
        ),
        data_testid=f"kpi-{row.name}",
    )


def _table(first: rx.Var[str], lines: rx.Var[list[TableLine]]) -> rx.Component:
    return rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(first, scope="col"),
                    rx.el.th(tr("Sent"), scope="col", class_name="num"),
                    rx.el.th(tr("Opened"), scope="col"),
                    rx.el.th(tr("Clicked"), scope="col"),
                    rx.el.th(tr("Replied"), scope="col"),
                )
            ),
            rx.el.tbody(rx.foreach(lines, _line)),
            class_name="report-table",
        ),
        class_name="report-scroll",
    )


def _line(row: rx.Var[TableLine]) -> rx.Component:
    return rx.el.tr(
        rx.el.th(
            rx.cond(row.href != "", rx.el.a(row.name, href=row.href, dir="auto"), rx.el.bdi(row.name)),
            scope="row",
            class_name=rx.cond(row.dim, "dim", ""),
        ),
        rx.el.td(row.sent, class_name="num"),
        _share(row.opened, "open"),
        _share(row.clicked, "click"),
        _share(row.replied, "reply"),
    )


def _share(share: rx.Var[Share], kind: str) -> rx.Component:
    return rx.el.td(
        rx.el.span(
            rx.el.span(share.text, class_name="num"),
            rx.el.span(
                rx.el.span(style={"inlineSize": share.width}, class_name=f"fill fill-{kind}"),
                class_name="meter",
                aria_hidden="true",
            ),
            class_name="share",
        )
    )


def _week() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            rx.el.h2(tr("When they open"), class_name="b grow"),
            rx.el.p(STATE.best, class_name="t1 dim"),
            class_name="row gap12 report-head",
        ),
        rx.el.div(
            rx.foreach(STATE.week, _day),
            rx.el.div(
                *[rx.el.span(f"{hour}", class_name="num") for hour in range(0, 24, 3)],
                class_name="week-hours",
                aria_hidden="true",
            ),
            class_name="week",
            role="img",
            aria_label=rx.cond(STATE.best != "", STATE.best, tr("When they open")),
        ),
        data_testid="report-week",
    )


def _day(row: rx.Var[Day]) -> rx.Component:
    return rx.el.div(
        rx.el.span(row.name, class_name="t1 dim"),
        rx.foreach(row.hours, _hour),
        class_name="week-day",
    )


def _hour(row: rx.Var[Hour]) -> rx.Component:
    return rx.el.span(title=row.said, class_name="hour", custom_attrs={"data-level": row.level})


def _links() -> rx.Component:
    return rx.el.section(
        rx.el.header(rx.el.h2(tr("Links clicked most"), class_name="b grow"), class_name="row report-head"),
        rx.el.ol(
            rx.foreach(
                STATE.links,
                lambda row: rx.el.li(
                    rx.el.span(
                        rx.el.span(row.text, class_name="cut", dir="auto"),
                        rx.el.span(row.url, class_name="t1 dim cut", dir="ltr"),
                        class_name="col grow",
                        title=row.url,
                    ),
                    rx.el.span(
                        rx.el.span(row.clicks, class_name="num"),
                        rx.el.span(row.emails, class_name="t1 dim num"),
                        class_name="col link-count",
                    ),
                ),
            ),
            class_name="link-lines",
        ),
        data_testid="report-links",
    )
