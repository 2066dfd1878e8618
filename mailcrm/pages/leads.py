"""The lead inbox: a list of possible deals, and one of them with its history and a place to write."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.bcc_address import record_address
from mailcrm.components.buttons import button, icon_button, icon_link, ink
from mailcrm.components.icons import icon
from mailcrm.components.lead_form import lead_form
from mailcrm.components.record_side import label_chip, record_side
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.timeline import record
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.leads import LeadRow, LeadsState
from mailcrm.state.timeline import TimelineState

LEAD = LeadsState.lead
WHO = LeadsState.person
PAUSE_MS = 180


def leads() -> rx.Component:
    """Return the page."""
    return shell(
        rx.el.div(
            _list(),
            rx.el.section(
                rx.cond(
                    LeadsState.missing,
                    empty("sprout", tr("No such lead"), tr("It was deleted, or the address is wrong.")),
                    rx.cond(
                        LEAD.id > 0,
                        rx.fragment(_head(), _body()),
                        empty("sprout", tr("No lead is open"), tr("Choose one from the list, or add one.")),
                    ),
                ),
                class_name="lead-pane",
                aria_label=tr("Lead"),
            ),
            class_name="leads",
            custom_attrs={"data-open": LEAD.id > 0},
        ),
        lead_form(),
        here="leads",
    )


def _list() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            rx.el.h1(tr("Leads"), class_name="t3"),
            rx.el.span(class_name="grow"),
            ink(icon("plus"), tr("Lead"), on_click=LeadsState.start, data_testid="lead-create"),
            class_name="bar",
        ),
        rx.el.div(
            rx.el.label(
                icon("search", size=14),
                rx.el.input(
                    type="search",
                    placeholder=tr("Find a lead"),
                    aria_label=tr("Find a lead"),
                    on_change=lambda text: LeadsState.find(text).debounce(PAUSE_MS),
                    data_testid="lead-search",
                    custom_attrs={"data-key": "/"},
                ),
                class_name="bar-search lead-search",
            ),
            rx.el.div(
                _status("open", tr("state|Open")),
                _status("converted", tr("Converted")),
                _status("archived", tr("Archived")),
                rx.el.span(class_name="grow"),
                rx.el.select(
                    rx.el.option(tr("Everyone"), value=""),
                    rx.foreach(LeadsState.owners, lambda one: rx.el.option(one.label, value=one.value, key=one.value)),
                    value=LeadsState.owner,
                    on_change=LeadsState.choose_owner,
                    class_name="pick bar-pick",
                    aria_label=tr("Owner"),
                    data_testid="lead-owner-filter",
                ),
                rx.cond(
                    LeadsState.labels.length() > 0,
                    rx.el.select(
                        rx.el.option(tr("Any label"), value=""),
                        rx.foreach(
                            LeadsState.labels, lambda one: rx.el.option(one.label, value=one.value, key=one.value)
                        ),
                        value=LeadsState.label,
                        on_change=LeadsState.choose_label,
                        class_name="pick bar-pick",
                        aria_label=tr("Label"),
                        data_testid="lead-label-filter",
                    ),
                ),
                class_name="seg",
                role="group",
                aria_label=tr("Filter"),
            ),
            class_name="col gap6 lead-filters",
        ),
        rx.el.div(
            rx.cond(
                LeadsState.failed != "",
                empty(
                    "cloud-off",
                    tr("Couldn’t load this list"),
                    LeadsState.failed,
                    button(tr("Try again"), on_click=LeadsState.refresh),
                ),
                rx.cond(
                    LeadsState.rows.length() > 0,
                    rx.fragment(
                        rx.el.ul(rx.foreach(LeadsState.rows, _row), data_testid="lead-list"),
                        rx.cond(
                            LeadsState.cursor != "",
                            rx.el.div(
                                button(tr("Load more"), on_click=LeadsState.more, data_testid="lead-more"),
                                class_name="more-row",
                            ),
                        ),
                    ),
                    rx.cond(LeadsState.loading, bones(), _nothing()),
                ),
            ),
            class_name="scroll",
        ),
        class_name="list-pane lead-list",
        aria_label=tr("Leads"),
    )


def _status(name: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        label,
        type="button",
        on_click=LeadsState.choose(name),
        custom_attrs={"aria-pressed": LeadsState.status == name},
        data_testid=f"lead-filter-{name}",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        (LeadsState.query != "") | (LeadsState.owner != "") | (LeadsState.label != "") | (LeadsState.status != "open"),
        empty("search-x", tr("No lead matches"), tr("Take a filter off, or try another word.")),
        empty(
            "sprout",
            tr("No leads yet"),
            tr("A lead is a possible deal. Convert it once there is something to sell."),
            button(icon("plus"), tr("Add a lead"), on_click=LeadsState.start),
        ),
    )


def _row(row: rx.Var[LeadRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(
            avatar(row.initials, row.hue),
            rx.el.span(
                rx.el.span(
                    rx.el.span(row.title, class_name="b cut grow", dir="auto"),
                    rx.el.span(row.created, class_name="t1 dim num"),
                    class_name="row",
                ),
                rx.el.span(
                    rx.el.span(
                        rx.cond(row.who != "", row.who, row.organization), class_name="dim cut grow", dir="auto"
                    ),
                    rx.el.span(row.value, class_name="num"),
                    class_name="row",
                ),
                rx.el.span(
                    rx.foreach(row.labels, lambda mark: label_chip(mark[0], mark[1])),
                    rx.cond(
                        row.who != "", rx.el.span(row.organization, class_name="t1 dim cut", dir="auto"), rx.fragment()
                    ),
                    class_name="row gap4 lead-third",
                ),
                class_name="col grow",
            ),
            href=row.href,
            class_name="lead-row",
            data_testid="lead-row",
            custom_attrs={
                "data-lead-id": row.id,
                "aria-current": rx.cond(row.id == LEAD.id, "true", rx.Var("undefined")),
            },
        ),
        key=row.id,
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.div(
            icon_link("arrow-left", tr("All leads"), routes.LEADS),
            rx.el.h2(LEAD.title, class_name="t5 cut", dir="auto", data_testid="lead-title"),
            rx.el.span(LEAD.value, class_name="t5 dim num light"),
            rx.el.span(class_name="grow"),
            icon_button("pencil", tr("Edit lead"), on_click=LeadsState.edit, data_testid="lead-edit"),
            rx.match(
                LEAD.status,
                (
                    "open",
                    rx.fragment(
                        icon_button(
                            "archive",
                            tr("Archive lead"),
                            on_click=LeadsState.archive(LEAD.id),
                            data_testid="lead-archive",
                        ),
                        _delete(),
                        ink(
                            icon("circle-dollar-sign"),
                            tr("Convert to deal"),
                            on_click=LeadsState.convert,
                            data_testid="lead-convert",
                        ),
                    ),
                ),
                (
                    "archived",
                    rx.fragment(
                        _delete(),
                        button(
                            icon("archive-restore"),
                            tr("Bring back"),
                            on_click=LeadsState.bring_back(LEAD.id),
                            data_testid="lead-bring-back",
                        ),
                    ),
                ),
                rx.fragment(
                    button(tr("Undo conversion"), on_click=LeadsState.revert(LEAD.id), data_testid="lead-revert"),
                    rx.el.a(icon("circle-dollar-sign"), tr("Open the deal"), href=LEAD.deal, class_name="btn btn-soft"),
                ),
            ),
            class_name="row lead-head",
        ),
        class_name="record-head",
    )


def _delete() -> rx.Component:
    return icon_button("trash-2", tr("Delete lead"), on_click=LeadsState.delete(LEAD.id), data_testid="lead-delete")


def _body() -> rx.Component:
    return rx.el.div(
        rx.el.section(
            rx.el.h3(tr("Summary"), class_name="sr"),
            rx.el.dl(
                _fact(
                    tr("Person"),
                    rx.cond(
                        WHO.id > 0,
                        rx.el.a(WHO.name, href=WHO.href, class_name="link", dir="auto"),
                        rx.el.span(tr("Nobody yet"), class_name="dim"),
                    ),
                ),
                rx.cond(
                    WHO.address != "",
                    _fact(
                        tr("noun|Email"),
                        rx.el.button(
                            WHO.address,
                            type="button",
                            class_name="plain link",
                            on_click=[TimelineState.choose_tab("email"), ComposerState.compose_here(WHO.address, 0)],
                        ),
                    ),
                ),
                rx.cond(
                    LEAD.organization != "",
                    _fact(tr("Organization"), rx.el.span(LEAD.organization, dir="auto")),
                ),
                _fact(
                    tr("Owner"),
                    rx.el.select(
                        rx.el.option(tr("Nobody"), value=""),
                        rx.foreach(
                            LeadsState.owners, lambda one: rx.el.option(one.label, value=one.value, key=one.value)
                        ),
                        value=LEAD.owner_id,
                        on_change=LeadsState.give,
                        class_name="pick pick-plain",
                        aria_label=tr("Owner"),
                        data_testid="lead-owner",
                    ),
                ),
                _fact(tr("Created"), LEAD.day),
                class_name="lead-facts",
            ),
            class_name="sect",
        ),
        record_side(),
        record_address(tr("Add this address as Bcc to an email, or forward one to it, and it is in this lead.")),
        rx.el.div(
            *record(address=WHO.address, name=rx.cond(WHO.id > 0, WHO.name, ""), deal_id=0), class_name="record-main"
        ),
        class_name="lead-body",
    )


def _fact(label: rx.Var[str], value: rx.Component | rx.Var[str]) -> rx.Component:
    return rx.el.div(rx.el.dt(label), rx.el.dd(value, class_name="cut"))
