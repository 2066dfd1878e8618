"""Contacts: the people of the workspace, found by name, organization or address."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, ink
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.people import PeopleState
from mailcrm.state.present import PersonRow

PAUSE_MS = 180


def people() -> rx.Component:
    """Return the page."""
    return shell(
        rx.el.header(
            rx.el.h1(tr("Contacts"), class_name="t3"),
            rx.el.label(
                icon("search", size=14),
                rx.el.input(
                    type="search",
                    placeholder=tr("Find a person"),
                    aria_label=tr("Find a person"),
                    on_change=lambda text: PeopleState.find(text).debounce(PAUSE_MS),
                    data_testid="person-search",
                ),
                class_name="bar-search",
            ),
            rx.el.span(class_name="grow"),
            ink(icon("plus"), tr("Person"), on_click=PeopleState.set_creating(True), data_testid="person-create"),
            class_name="bar bar-line",
        ),
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
                    rx.cond(PeopleState.loading, bones(), rx.cond(PeopleState.query != "", _no_match(), _none_yet())),
                ),
            ),
            class_name="scroll",
        ),
        _create(),
        here="people",
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


def _table() -> rx.Component:
    return rx.fragment(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(tr("Name")),
                    rx.el.th(tr("Organization"), class_name="not-phone"),
                    rx.el.th(tr("Email")),
                    rx.el.th(tr("Phone"), class_name="not-narrow"),
                )
            ),
            rx.el.tbody(rx.foreach(PeopleState.rows, _row)),
            class_name="table people-table",
        ),
        rx.cond(
            PeopleState.cursor != "",
            rx.el.div(
                button(tr("Load more"), on_click=PeopleState.more, data_testid="person-more"), class_name="more-row"
            ),
        ),
    )


def _row(row: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.a(
                avatar(row.initials, row.hue),
                rx.el.span(
                    rx.el.span(row.name, class_name="b cut", dir="auto"),
                    rx.cond(row.job != "", rx.el.span(row.job, class_name="t1 dim cut", dir="auto")),
                    class_name="col",
                ),
                href=row.href,
                class_name="row gap12 row-link",
            )
        ),
        rx.el.td(rx.el.span(row.organization, class_name="cut", dir="auto"), class_name="not-phone"),
        rx.el.td(rx.el.span(row.address, class_name="dim cut")),
        rx.el.td(rx.el.span(row.phone, class_name="dim num cut"), class_name="not-narrow"),
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
