"""The list of organizations: filters, changes of many at once, the form for a new one (M03)."""

from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, ink
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.shell import shell
from mailcrm.components.states import bones, empty
from mailcrm.components.table_pick import bulk_bar, labels_cell, narrow_by, options, pick_all, pick_one
from mailcrm.state.i18n import tr
from mailcrm.state.organizations import OrganizationRow, OrganizationsState

PAUSE_MS = 180


def contact_tabs(here: str) -> rx.Component:
    """Return the way between people and organizations."""
    tabs = (("people", routes.PEOPLE, tr("People")), ("organizations", routes.ORGANIZATIONS, tr("Organizations")))
    links = [
        rx.el.a(
            label,
            href=href,
            class_name="btn btn-soft" if key == here else "btn btn-ghost",
            custom_attrs={"aria-current": "page"} if key == here else {},
            data_testid=f"contacts-{key}",
        )
        for key, href, label in tabs
    ]
    return rx.el.nav(*links, class_name="row gap4", aria_label=tr("Contacts"))


def organizations() -> rx.Component:
    """Return the list."""
    state = OrganizationsState
    return shell(
        rx.el.header(
            rx.el.h1(tr("Contacts"), class_name="t3"),
            contact_tabs("organizations"),
            rx.el.label(
                icon("search", size=14),
                rx.el.input(
                    type="search",
                    placeholder=tr("Find an organization"),
                    aria_label=tr("Find an organization"),
                    on_change=lambda text: state.find(text).debounce(PAUSE_MS),
                    data_testid="organization-search",
                ),
                class_name="bar-search",
            ),
            rx.el.span(class_name="grow"),
            ink(icon("plus"), tr("Organization"), on_click=state.set_creating(True), data_testid="organization-create"),
            class_name="bar bar-line",
        ),
        rx.cond(state.picked.length() > 0, bulk_bar(OrganizationsState, "organizations"), _filters()),
        rx.el.div(
            rx.cond(
                state.failed,
                empty(
                    "cloud-off",
                    tr("Couldn’t load your contacts"),
                    tr("Nothing is lost."),
                    button(tr("Try again"), on_click=state.refresh),
                ),
                rx.cond(
                    state.rows.length() > 0,
                    _table(),
                    rx.cond(
                        state.loading,
                        bones(),
                        rx.cond(
                            (state.query != "") | (state.filters.length() > 0),
                            empty(
                                "search-x",
                                tr("No organization matches"),
                                tr("Take a filter off, or try another word."),
                            ),
                            empty(
                                "building-2",
                                tr("No organizations yet"),
                                tr("Add one with its domain, and people who write from there are offered to it."),
                                button(icon("plus"), tr("Create an organization"), on_click=state.set_creating(True)),
                            ),
                        ),
                    ),
                ),
            ),
            class_name="scroll",
        ),
        form_dialog(
            rx.el.form(
                field(
                    tr("Name"),
                    text_input("organization_name", auto_focus=True, dir="auto", data_testid="organization-name"),
                    name="organization_name",
                ),
                field(
                    tr("Domains"),
                    text_input("organization_domain", placeholder="example.com", data_testid="organization-domain"),
                    name="organization_domain",
                ),
                error_line(state.wrong),
                dialog_actions(tr("Create organization"), "organization-save"),
                on_submit=state.create,
                class_name="col gap12",
            ),
            open_when=state.creating,
            on_open_change=state.set_creating,
            title=tr("New organization"),
            text=tr("People who write from its domains are offered to it."),
        ),
        here="people",
    )


def _filters() -> rx.Component:
    state = OrganizationsState
    return rx.el.div(
        _filter(
            "owner",
            tr("Owner"),
            rx.el.option(tr("Everyone"), value=""),
            rx.el.option(tr("No owner"), value="0"),
            options(state.owners),
        ),
        rx.cond(
            state.labels.length() > 0,
            _filter("label", tr("Label"), rx.el.option(tr("Any label"), value=""), options(state.labels)),
        ),
        rx.cond(
            state.filters.length() > 0,
            button(tr("Clear"), look="ghost", size="btn-sm", on_click=state.clear, data_testid="organizations-clear"),
        ),
        class_name="table-bar",
    )


def _filter(name: str, label: rx.Var[str], *choices: rx.Component) -> rx.Component:
    change: Any = lambda chosen: OrganizationsState.set_filter(name, chosen)  # noqa: E731  an event takes a function
    value = OrganizationsState.filters.get(name, "")
    return narrow_by(value, change, label, f"organizations-filter-{name}", *choices)


def _table() -> rx.Component:
    state = OrganizationsState
    return rx.fragment(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    pick_all(state.picked.length() == state.rows.length(), state.pick_all, "organizations-pick-all"),
                    rx.el.th(tr("Name"), class_name="name-cell"),
                    rx.el.th(tr("Domains"), class_name="not-phone"),
                    rx.cond(state.labels.length() > 0, rx.el.th(tr("Labels"), class_name="not-narrow who-cell")),
                    rx.el.th(tr("Owner"), class_name="not-narrow who-cell"),
                    rx.el.th(tr("People"), class_name="not-phone n count-cell"),
                    rx.el.th(tr("Open deals"), class_name="n count-cell"),
                )
            ),
            rx.el.tbody(rx.foreach(state.rows, _row)),
            class_name="table people-table contacts-table",
        ),
        rx.cond(state.cursor != "", rx.el.div(button(tr("Load more"), on_click=state.more), class_name="more-row")),
    )


def _row(row: rx.Var[OrganizationRow]) -> rx.Component:
    state = OrganizationsState
    return rx.el.tr(
        pick_one(state.picked.contains(row.id), state.pick(row.id), row.name, "organization-pick"),
        rx.el.td(
            rx.el.a(
                avatar(row.initials, square=True),
                rx.el.span(row.name, class_name="b cut", dir="auto"),
                href=row.href,
                class_name="row gap12 row-link",
            ),
            class_name="name-cell",
        ),
        rx.el.td(rx.el.span(row.domains, class_name="dim cut"), class_name="not-phone"),
        rx.cond(state.labels.length() > 0, rx.el.td(labels_cell(row.labels), class_name="not-narrow")),
        rx.el.td(rx.el.span(row.owner, class_name="dim cut", dir="auto"), class_name="not-narrow"),
        rx.el.td(rx.el.span(row.people, class_name="num"), class_name="not-phone n count-cell"),
        rx.el.td(rx.el.span(row.deals, class_name="num"), class_name="n count-cell"),
        data_testid="organization-row",
        key=row.id,
    )
