"""Contacts: the people of the workspace, found by name, organization or address."""

from typing import Any

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, ink
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.table_pick import bulk_bar, labels_cell, narrow_by, options, pick_all, pick_one
from mailcrm.pages.organizations import contact_tabs
from mailcrm.state.i18n import tr
from mailcrm.state.people import ContactRow, PeopleState

PAUSE_MS = 180
CHOSEN = PeopleState.filters


def people() -> rx.Component:
    """Return the page."""
    return shell(
        rx.el.header(
            rx.el.h1(tr("Contacts"), class_name="t3"),
            contact_tabs("people"),
            rx.el.label(
                icon("search", size=14),
                rx.el.input(
                    type="search",
                    placeholder=tr("Find a person"),
                    aria_label=tr("Find a person"),
                    on_change=lambda text: PeopleState.find(text).debounce(PAUSE_MS),
                    data_testid="person-search",
                    custom_attrs={"data-key": "/"},
                ),
                class_name="bar-search",
            ),
            rx.el.span(class_name="grow"),
            ink(icon("plus"), tr("Person"), on_click=PeopleState.set_creating(True), data_testid="person-create"),
            class_name="bar bar-line",
        ),
        rx.cond(PeopleState.picked.length() > 0, bulk_bar(PeopleState, "people"), _filters()),
        rx.el.div(
            rx.cond(
                PeopleState.failed,
                empty(
                    "cloud-off",
                    tr("Couldn’t load your contacts"),
                    tr("Nothing is lost."),
                    button(tr("Try again"), on_click=PeopleState.refresh),
                ),
                rx.cond(
                    PeopleState.rows.length() > 0,
                    _table(),
                    rx.cond(PeopleState.loading, bones(), _nothing()),
                ),
            ),
            class_name="scroll",
        ),
        _create(),
        here="people",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        PeopleState.narrowed,
        empty(
            "search-x",
            tr("Nobody matches these filters"),
            tr("Take a filter off, or try another word."),
            button(tr("Take the filters off"), on_click=PeopleState.clear),
        ),
        rx.cond(PeopleState.query != "", _no_match(), _none_yet()),
    )


def _no_match() -> rx.Component:
    return empty(
        "search-x",
        tr("Nobody matches “{text}”", text=PeopleState.query),
        tr("Try a part of the name, the organization or the address."),
        button(tr("Create a person"), on_click=PeopleState.set_creating(True)),
    )


def _none_yet() -> rx.Component:
    return empty(
        "users-round",
        tr("No contacts yet"),
        tr("Add a person, and their email links itself by address."),
        button(icon("plus"), tr("Create a person"), on_click=PeopleState.set_creating(True)),
    )


def _filter(name: str, label: rx.Var[str], *choices: rx.Component) -> rx.Component:
    change: Any = lambda chosen: PeopleState.set_filter(name, chosen)  # noqa: E731  an event takes a function
    return narrow_by(CHOSEN.get(name, ""), change, label, f"people-filter-{name}", *choices)


def _filters() -> rx.Component:
    return rx.el.div(
        _filter(
            "owner",
            tr("Owner"),
            rx.el.option(tr("Everyone"), value=""),
            rx.el.option(tr("No owner"), value="0"),
            options(PeopleState.owners),
        ),
        rx.cond(
            PeopleState.labels.length() > 0,
            _filter("label", tr("Label"), rx.el.option(tr("Any label"), value=""), options(PeopleState.labels)),
        ),
        rx.el.input(
            type="search",
            list="people-organizations",
            placeholder=tr("Any organization"),
            aria_label=tr("Organization"),
            default_value=PeopleState.organization_name,
            key=PeopleState.narrowed.to_string(),
            on_change=lambda text: PeopleState.of_organization(text).debounce(PAUSE_MS),
            class_name="input people-organization",
            data_testid="people-filter-organization",
        ),
        rx.el.datalist(
            rx.foreach(PeopleState.organizations, lambda name: rx.el.option(value=name, key=name)),
            id="people-organizations",
        ),
        _filter(
            "consent",
            tr("Tracking consent"),
            rx.el.option(tr("Any consent"), value=""),
            rx.el.option(tr("Agreed"), value="granted"),
            rx.el.option(tr("Not asked"), value="unknown"),
            rx.el.option(tr("Declined"), value="refused"),
        ),
        _filter(
            "quiet",
            tr("Activity"),
            rx.el.option(tr("Any activity"), value=""),
            rx.el.option(tr("Quiet for 30 days"), value="30"),
            rx.el.option(tr("Quiet for 90 days"), value="90"),
            rx.el.option(tr("Quiet for a year"), value="365"),
        ),
        rx.cond(
            PeopleState.narrowed,
            button(tr("Clear"), look="ghost", size="btn-sm", on_click=PeopleState.clear, data_testid="people-clear"),
        ),
        rx.el.span(class_name="grow"),
        rx.el.select(
            rx.el.option(tr("By name, A to Z"), value="name"),
            rx.el.option(tr("By name, Z to A"), value="-name"),
            rx.el.option(tr("Newest first"), value="newest"),
            value=PeopleState.order,
            on_change=PeopleState.sort,
            class_name="pick bar-pick",
            aria_label=tr("Order"),
            data_testid="people-sort",
        ),
        class_name="table-bar",
    )


def _table() -> rx.Component:
    return rx.fragment(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    pick_all(
                        PeopleState.picked.length() == PeopleState.rows.length(),
                        PeopleState.pick_all,
                        "people-pick-all",
                    ),
                    rx.el.th(tr("Name"), class_name="name-cell"),
                    rx.el.th(tr("Organization"), class_name="not-phone"),
                    rx.el.th(tr("noun|Email"), class_name="mail-cell"),
                    rx.el.th(tr("Phone"), class_name="not-narrow tel-cell"),
                    rx.cond(PeopleState.labels.length() > 0, rx.el.th(tr("Labels"), class_name="not-narrow who-cell")),
                    rx.el.th(tr("Owner"), class_name="not-narrow who-cell"),
                    rx.el.th(tr("Last email"), class_name="not-phone day-cell"),
                    rx.el.th(tr("Open deals"), class_name="not-phone n count-cell"),
                )
            ),
            rx.el.tbody(rx.foreach(PeopleState.rows, _row)),
            class_name="table people-table contacts-table",
        ),
        rx.cond(
            PeopleState.cursor != "",
            rx.el.div(
                button(tr("Load more"), on_click=PeopleState.more, data_testid="person-more"), class_name="more-row"
            ),
        ),
    )


def _row(row: rx.Var[ContactRow]) -> rx.Component:
    who = row.person
    return rx.el.tr(
        pick_one(PeopleState.picked.contains(row.id), PeopleState.pick(row.id), who.name, "person-pick"),
        rx.el.td(
            rx.el.a(
                avatar(who.initials, who.hue),
                rx.el.span(
                    rx.el.span(who.name, class_name="b cut", dir="auto"),
                    rx.cond(who.job != "", rx.el.span(who.job, class_name="t1 dim cut", dir="auto")),
                    class_name="col",
                ),
                href=who.href,
                class_name="row gap12 row-link",
            ),
            class_name="name-cell",
        ),
        rx.el.td(rx.el.span(who.organization, class_name="cut", dir="auto"), class_name="not-phone"),
        rx.el.td(rx.el.span(who.address, class_name="dim cut"), class_name="mail-cell"),
        rx.el.td(rx.el.span(row.phones, class_name="dim num cut", dir="ltr"), class_name="not-narrow"),
        rx.cond(
            PeopleState.labels.length() > 0,
            rx.el.td(labels_cell(row.labels), class_name="not-narrow"),
        ),
        rx.el.td(rx.el.span(row.owner, class_name="dim cut", dir="auto"), class_name="not-narrow"),
        rx.el.td(rx.el.span(row.last, class_name="dim num"), class_name="not-phone day-cell"),
        rx.el.td(rx.cond(row.deals > 0, row.deals.to_string(), ""), class_name="not-phone n count-cell"),
        data_testid="person-row",
        key=row.id,
    )


def _field(label: rx.Var[str], name: str, testid: str, **props: object) -> rx.Component:
    return field(label, text_input(name, auto_complete="off", data_testid=testid, **props), name=name)


def _create() -> rx.Component:
    return form_dialog(
        rx.el.form(
            _field(tr("Name"), "person_name", "person-name", auto_focus=True, dir="auto"),
            rx.el.div(
                _field(tr("Email"), "person_email", "person-email", inputmode="email"),
                _field(tr("Phone"), "person_phone", "person-phone", inputmode="tel"),
                class_name="grid2",
            ),
            rx.el.div(
                _field(tr("Organization"), "person_organization", "person-organization", dir="auto"),
                _field(tr("Job title"), "person_job", "person-job", dir="auto"),
                class_name="grid2",
            ),
            error_line(PeopleState.wrong),
            dialog_actions(tr("Create person"), "person-save"),
            on_submit=PeopleState.create,
            class_name="col gap12",
        ),
        open_when=PeopleState.creating,
        on_open_change=PeopleState.set_creating,
        title=tr("New person"),
        text=tr("Email from and to this address links itself to the person, earlier email too."),
        wide=True,
    )
