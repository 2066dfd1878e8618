"""A person: details, tracking consent and deals on the one side, history on the other (M03, T09)."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.deal_form import deal_form
from mailcrm.components.deal_line import deal_line
from mailcrm.components.dialogs import dialog_actions, form_dialog, question
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.help import help_mark
from mailcrm.components.icons import icon
from mailcrm.components.merge import merge_dialog, merge_item
from mailcrm.components.person_details import (
    move_address_form,
    person_facts,
    person_figures,
    person_leads,
    person_name,
)
from mailcrm.components.record_side import record_side
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.table_pick import options
from mailcrm.components.timeline import record
from mailcrm.state.board import BoardState
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.person import PersonState
from mailcrm.state.person_tracking import PersonTrackingState
from mailcrm.state.timeline import TimelineState

WHO = PersonState.person
JOINED = "\n"


def person() -> rx.Component:
    """Return the page."""
    return shell(
        rx.cond(
            PersonState.missing,
            empty(
                "user-round-x",
                tr("This person doesn’t exist"),
                tr("They may have been deleted, or the address is wrong."),
                rx.el.a(tr("All contacts"), href=routes.PEOPLE, class_name="btn btn-soft"),
            ),
            rx.cond(
                WHO.id > 0,
                rx.fragment(
                    _head(),
                    rx.el.div(
                        rx.el.div(
                            _details(), record_side(), _consent(), _deals(), person_leads(), class_name="record-side"
                        ),
                        rx.el.div(
                            person_figures(),
                            *record(address=WHO.address, name=WHO.name),
                            class_name="record-main",
                        ),
                        class_name="record",
                    ),
                ),
                bones(),
            ),
        ),
        deal_form(),
        _consent_form(),
        merge_dialog(),
        move_address_form(),
        question(
            open_when=PersonTrackingState.erasing,
            on_open_change=PersonTrackingState.ask_erase,
            title=tr("Erase what tracking recorded?"),
            text=tr(
                "Opens and clicks of email to this person are gone for good, whoever sent it. Links in it go on working."
            ),
            label=tr("Erase tracking data"),
            on_confirm=PersonTrackingState.erase,
            testid="person-tracking-erase-yes",
        ),
        here="people",
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.nav(
            rx.el.a(tr("Contacts"), href=routes.PEOPLE),
            icon("chevron-right", size=14),
            rx.el.a(tr("People"), href=routes.PEOPLE),
            class_name="crumbs",
            aria_label=tr("Where you are"),
        ),
        rx.el.div(
            avatar(WHO.initials, WHO.hue, size="lg"),
            rx.el.div(
                person_name(),
                rx.el.p(
                    rx.el.bdi(WHO.job),
                    rx.cond((WHO.job != "") & (WHO.organization != ""), ", ", ""),
                    rx.el.bdi(WHO.organization),
                    class_name="dim cut",
                ),
                class_name="col grow",
            ),
            rx.el.div(
                rx.el.select(
                    options(PersonState.owners),
                    value=PersonState.owner_id,
                    on_change=PersonState.hand_over,
                    class_name="pick",
                    aria_label=tr("Owner"),
                    style={"inlineSize": "auto"},
                    data_testid="person-owner",
                ),
                button(
                    icon("circle-dollar-sign"),
                    tr("New deal"),
                    on_click=BoardState.start_for(WHO.id),
                    data_testid="person-new-deal",
                ),
                ink(
                    icon("pencil-line"),
                    tr("verb|Email"),
                    on_click=[TimelineState.choose_tab("email"), ComposerState.compose_here(WHO.address, 0)],
                    disabled=WHO.address == "",
                    data_testid="person-email-button",
                ),
                rx.dropdown_menu.root(
                    rx.dropdown_menu.trigger(icon_button("ellipsis", tr("More actions"))),
                    rx.dropdown_menu.content(
                        rx.dropdown_menu.item(tr("Edit details"), on_select=PersonState.edit(True)),
                        merge_item(WHO.id),
                        rx.dropdown_menu.item(
                            tr("Export tracking data"),
                            on_select=rx.call_script("location.assign(location.pathname + '/tracking-data')"),
                            data_testid="person-tracking-export",
                        ),
                        rx.dropdown_menu.item(
                            tr("Erase tracking data"),
                            on_select=PersonTrackingState.ask_erase(True),
                            data_testid="person-tracking-erase",
                        ),
                        rx.dropdown_menu.item(tr("Delete"), color="red", on_select=PersonState.delete),
                        align="end",
                    ),
                ),
                class_name="row person-actions",
            ),
            class_name="row gap12 person-head",
        ),
        class_name="record-head",
    )


def _section(
    title: rx.Var[str], action: rx.Component, *content: rx.Component, about: rx.Component | None = None
) -> rx.Component:
    heading = rx.el.h2(title, class_name="b")
    return rx.el.section(
        rx.el.div(
            rx.el.div(heading, about if about is not None else rx.fragment(), class_name="row gap4 grow"),
            action,
            class_name="row side-head",
        ),
        *content,
        class_name="sect",
    )


def _details() -> rx.Component:
    return _section(
        tr("Details"),
        rx.cond(
            PersonState.editing,
            rx.fragment(),
            button(tr("Edit"), look="ghost", size="btn-sm", on_click=PersonState.edit(True), data_testid="person-edit"),
        ),
        rx.cond(PersonState.editing, _edit_form(), person_facts()),
    )


def _edit_form() -> rx.Component:
    return rx.el.form(
        field(
            tr("Name"),
            text_input("edit_name", default_value=WHO.name, dir="auto", data_testid="edit-name"),
            name="edit_name",
        ),
        field(
            tr("Email addresses, one per line"),
            rx.el.textarea(
                id="edit_addresses",
                name="edit_addresses",
                default_value=PersonState.addresses.join(JOINED),
                class_name="area",
                rows="2",
                spell_check=False,
                data_testid="edit-addresses",
            ),
            name="edit_addresses",
        ),
        field(
            tr("Phone numbers, one per line"),
            rx.el.textarea(
                id="edit_phones",
                name="edit_phones",
                default_value=PersonState.phones.join(JOINED),
                class_name="area",
                rows="2",
            ),
            name="edit_phones",
        ),
        field(
            tr("Job title"),
            text_input("edit_job", default_value=WHO.job, dir="auto", data_testid="edit-job"),
            name="edit_job",
        ),
        field(
            tr("Organization"),
            text_input("edit_organization", default_value=WHO.organization, dir="auto"),
            name="edit_organization",
        ),
        error_line(PersonState.wrong),
        rx.el.div(
            ink(tr("Save"), type="submit", data_testid="person-edit-save"),
            button(tr("Cancel"), look="ghost", on_click=PersonState.edit(False)),
            class_name="row",
        ),
        on_submit=PersonState.save,
        class_name="col gap12 edit-form",
    )


def _consent() -> rx.Component:
    state = PersonState.consent.state
    return _section(
        tr("Tracking consent"),
        button(
            tr("Change"),
            look="ghost",
            size="btn-sm",
            on_click=PersonState.ask_consent(True),
            data_testid="consent-change",
        ),
        rx.el.div(
            rx.match(
                state,
                (
                    "granted",
                    rx.el.span(icon("shield-check"), class_name="consent-ico", custom_attrs={"data-state": "granted"}),
                ),
                (
                    "withdrawn",
                    rx.el.span(icon("shield-x"), class_name="consent-ico", custom_attrs={"data-state": "refused"}),
                ),
                (
                    "refused",
                    rx.el.span(icon("shield-x"), class_name="consent-ico", custom_attrs={"data-state": "refused"}),
                ),
                rx.el.span(icon("shield-question"), class_name="consent-ico"),
            ),
            rx.el.div(
                rx.el.p(
                    rx.match(
                        state,
                        ("granted", tr("Agreed to open and link tracking")),
                        ("refused", tr("Declined. Email to them is never tracked.")),
                        ("withdrawn", tr("Withdrawn. Email to them is not tracked any more.")),
                        tr("Not asked"),
                    ),
                    class_name="b",
                ),
                rx.el.p(
                    rx.cond(
                        PersonState.consent.about != "",
                        PersonState.consent.about,
                        tr("Ask before you track, and keep their answer here."),
                    ),
                    class_name="t1 dim",
                    dir="auto",
                ),
                class_name="col",
            ),
            class_name="row gap12 consent",
            data_testid="consent",
            custom_attrs={"data-consent": state},
        ),
        about=help_mark("consent"),
    )


def _consent_form() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Answer"),
                choice(
                    "consent_state",
                    [("granted", tr("Agreed")), ("unknown", tr("Not asked")), ("refused", tr("Declined"))],
                    default_value=rx.cond(
                        PersonState.consent.state == "withdrawn", "refused", PersonState.consent.state
                    ),
                    data_testid="consent-state",
                ),
                name="consent_state",
            ),
            field(
                tr("How you know"),
                text_input(
                    "consent_source",
                    default_value=PersonState.consent.source,
                    placeholder=tr("By phone, in a reply, on a form"),
                    dir="auto",
                    data_testid="consent-source",
                ),
                name="consent_source",
            ),
            field(
                tr("Proof, where there is one"),
                text_input(
                    "consent_proof",
                    default_value=PersonState.consent.proof,
                    placeholder=tr("Where it is kept: a form, a ticket, a link"),
                    dir="auto",
                    data_testid="consent-proof",
                ),
                name="consent_proof",
            ),
            error_line(PersonState.wrong),
            dialog_actions(tr("Record the answer"), "consent-save"),
            on_submit=PersonState.set_consent,
            class_name="col gap12",
        ),
        open_when=PersonState.asking,
        on_open_change=PersonState.ask_consent,
        title=tr("Tracking consent"),
        text=tr("Recorded with today’s date. When somebody declined, their email is sent without tracking."),
    )


def _deals() -> rx.Component:
    return _section(
        tr("Deals"),
        icon_button("plus", tr("New deal"), on_click=BoardState.start_for(WHO.id)),
        rx.cond(
            PersonState.deals.length() > 0,
            rx.el.ul(
                rx.foreach(PersonState.deals, lambda row: deal_line(row, "person-deal")),
                class_name="col gap12 side-deals",
            ),
            rx.el.p(tr("No deals yet."), class_name="dim"),
        ),
    )
