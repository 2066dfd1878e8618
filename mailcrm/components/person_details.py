"""What is known of a person, edited where it stands: addresses, phones, job title, organization; figures of their email."""

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.dialogs import form_dialog
from mailcrm.components.edit_field import edit_field
from mailcrm.components.icons import icon
from mailcrm.components.states import wrong
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.person import Figure, LeadRow, PersonState
from mailcrm.state.present import PersonRow
from mailcrm.state.timeline import TimelineState

WHO = PersonState.person
PAUSE_MS = 180


def person_figures() -> rx.Component:
    """Return the five figures of a person's email."""
    return rx.el.dl(rx.foreach(PersonState.figures, _figure), class_name="card figure-strip", data_testid="figures")


def _figure(row: rx.Var[Figure]) -> rx.Component:
    return rx.el.div(
        rx.el.dt(row.name), rx.el.dd(rx.cond(row.value != "", row.value, "–"), class_name="cut"), key=row.name
    )


def person_facts() -> rx.Component:
    """Return the details; each is changed by clicking it."""
    return rx.el.dl(
        rx.el.dt(tr("noun|Email")),
        rx.el.dd(
            rx.foreach(PersonState.addresses, _address),
            edit_field(
                "",
                tr("Another email address"),
                PersonState.add_address,
                "address-add",
                placeholder=tr("Add an address"),
                key=PersonState.addresses.length().to_string(),
                inputmode="email",
                dir="ltr",
            ),
            _wrong("address"),
            class_name="col gap4",
        ),
        rx.el.dt(tr("Phone")),
        rx.el.dd(
            rx.foreach(PersonState.phones, _phone),
            edit_field(
                "",
                tr("Another phone number"),
                lambda text: PersonState.change_phone("", text),
                "phone-add",
                placeholder=tr("Add a number"),
                key=PersonState.phones.length().to_string(),
                inputmode="tel",
                dir="ltr",
            ),
            _wrong("phone"),
            class_name="col gap4",
        ),
        rx.el.dt(tr("Job title")),
        rx.el.dd(
            edit_field(
                WHO.job,
                tr("Job title"),
                lambda text: PersonState.change("job_title", text),
                "person-edit-job",
                placeholder=tr("Add a job title"),
                dir="auto",
            ),
            _wrong("job_title"),
        ),
        rx.el.dt(tr("Organization")),
        rx.el.dd(
            rx.el.div(
                edit_field(
                    WHO.organization,
                    tr("Organization"),
                    lambda text: PersonState.change("organization", text),
                    "person-edit-organization",
                    placeholder=tr("Add an organization"),
                    list="organizations-found",
                    on_change=lambda text: PersonState.find_organization(text).debounce(PAUSE_MS),
                    cls="grow",
                    dir="auto",
                ),
                rx.cond(
                    PersonState.organization_href != "",
                    rx.el.a(
                        icon("arrow-right"),
                        href=PersonState.organization_href,
                        class_name="icon-btn",
                        aria_label=tr("Open the organization"),
                        title=tr("Open the organization"),
                        data_testid="person-organization-link",
                    ),
                ),
                class_name="row gap4",
            ),
            rx.el.datalist(
                rx.foreach(PersonState.organizations, lambda name: rx.el.option(value=name, key=name)),
                id="organizations-found",
            ),
            _wrong("organization"),
        ),
        class_name="facts facts-left fact-edit",
        data_testid="person-details",
    )


def _wrong(name: str) -> rx.Component:
    return rx.cond(PersonState.wrong_field == name, wrong(PersonState.wrong))


def person_name() -> rx.Component:
    """Return the name as the page's heading; it is changed by clicking it."""
    return rx.fragment(
        rx.el.h1(
            rx.el.span(WHO.name, class_name="sizer", aria_hidden="true"),
            edit_field(
                WHO.name,
                tr("Name"),
                lambda text: PersonState.change("name", text),
                "person-edit-name",
                cls="t5",
                dir="auto",
            ),
            class_name="t5 deal-title person-title",
            aria_label=WHO.name,
        ),
        _wrong("name"),
    )


def _phone(number: rx.Var[str]) -> rx.Component:
    return edit_field(
        number,
        tr("Phone"),
        lambda text: PersonState.change_phone(number, text),
        "person-phone-edit",
        cls="num",
        inputmode="tel",
        dir="ltr",
    )


def _address(address: rx.Var[str]) -> rx.Component:
    return rx.el.div(
        rx.el.button(
            address,
            type="button",
            class_name="link plain-btn cut grow",
            on_click=[TimelineState.choose_tab("email"), ComposerState.compose_here(address, 0)],
            title=address,
            dir="ltr",
            data_testid="person-address",
        ),
        rx.dropdown_menu.root(
            rx.dropdown_menu.trigger(
                icon_button("ellipsis", tr("What to do with {address}", address=address), data_testid="address-menu")
            ),
            rx.dropdown_menu.content(
                rx.cond(
                    address != WHO.address,
                    rx.dropdown_menu.item(
                        tr("Write to this address first"),
                        on_select=PersonState.make_primary(address),
                        data_testid="address-primary",
                    ),
                ),
                rx.dropdown_menu.item(
                    tr("Move to another person"),
                    on_select=PersonState.ask_move(address),
                    data_testid="address-move",
                ),
                rx.dropdown_menu.item(
                    tr("Remove"),
                    color="red",
                    on_select=PersonState.remove_address(address),
                    data_testid="address-remove",
                ),
                align="end",
            ),
        ),
        class_name="row gap4",
        key=address,
    )


def move_address_form() -> rx.Component:
    """Return the question who an address goes to."""
    return form_dialog(
        rx.el.input(
            type="search",
            auto_focus=True,
            class_name="input",
            placeholder=tr("Type a name"),
            aria_label=tr("Type a name"),
            on_change=lambda text: PersonState.find_person(text).debounce(PAUSE_MS),
            data_testid="move-search",
        ),
        rx.el.ul(rx.foreach(PersonState.found, _found), class_name="matches"),
        open_when=PersonState.moving != "",
        on_open_change=PersonState.close_move,
        title=tr("Whose address is it?"),
        text=tr("Email that is linked stays linked; new email is theirs."),
    )


def _found(row: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.span(row.name, class_name="cut", dir="auto"),
            rx.el.span(row.address, class_name="t1 dim cut"),
            type="button",
            class_name="menu-item",
            on_click=PersonState.move_address(row.id),
            data_testid="move-found",
        ),
        key=row.id,
    )


def person_leads() -> rx.Component:
    """Return the person's open leads, where there are any."""
    return rx.cond(
        PersonState.leads.length() > 0,
        rx.el.section(
            rx.el.div(rx.el.h2(tr("Leads"), class_name="b grow"), class_name="row side-head"),
            rx.el.ul(rx.foreach(PersonState.leads, _lead), class_name="col gap12 side-deals"),
            class_name="sect",
        ),
    )


def _lead(row: rx.Var[LeadRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(
            rx.el.span(row.title, class_name="b cut grow", dir="auto"),
            rx.el.span(row.value, class_name="num"),
            href=row.href,
            class_name="row row-link",
            data_testid="person-lead",
        ),
        key=row.id,
    )
