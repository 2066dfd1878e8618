"""The dialog that merges a person with a duplicate: choose, look at what would be left, merge."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, ink
from mailcrm.components.dialogs import form_dialog
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.merge import Candidate, MergeState
from mailcrm.state.present import PersonRow

SEEN = MergeState.preview


def merge_item(person_id: rx.Var[int]) -> rx.Component:
    """Return the entry of a person's menu."""
    return rx.dropdown_menu.item(tr("Merge…"), on_select=MergeState.start(person_id), data_testid="person-merge")


def merge_dialog() -> rx.Component:
    """Return the dialog; merge_item opens it."""
    return form_dialog(
        rx.cond(MergeState.other.id > 0, _result(), _chooser()),
        open_when=MergeState.is_open,
        on_open_change=MergeState.close,
        title=tr("Merge {name} with a duplicate", name=MergeState.kept.name),
        text=tr("One contact stays and gets everything of the other one. You can undo it."),
        wide=True,
    )


def _chooser() -> rx.Component:
    return rx.el.div(
        rx.el.input(
            type="search",
            class_name="input",
            placeholder=tr("Find the other contact by name or address"),
            aria_label=tr("Find the other contact by name or address"),
            on_change=MergeState.search.debounce(250),
            auto_focus=True,
            auto_complete="off",
            data_testid="merge-search",
        ),
        error_line(MergeState.wrong),
        rx.cond(
            MergeState.loading,
            bones(3),
            rx.cond(
                MergeState.found.length() > 0,
                rx.el.ul(rx.foreach(MergeState.found, _candidate), class_name="col merge-found"),
                rx.el.p(
                    rx.cond(
                        MergeState.query == "",
                        tr("Nobody looks like a duplicate. Find the other contact by name or address."),
                        tr("Nobody found. Try another spelling."),
                    ),
                    class_name="dim",
                    role="status",
                ),
            ),
        ),
        class_name="col gap12",
    )


def _candidate(row: rx.Var[Candidate]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            avatar(row.person.initials, row.person.hue),
            _who(row.person),
            rx.cond(row.why != "", rx.el.span(row.why, class_name="chip")),
            type="button",
            class_name="menu-item",
            on_click=MergeState.choose(row.id),
            data_testid="merge-candidate",
        ),
        key=row.id,
    )


def _who(who: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.span(
        rx.el.span(who.name, class_name="b cut", dir="auto"),
        rx.el.span(
            rx.cond(who.address != "", who.address, rx.cond(who.organization != "", who.organization, who.phone)),
            class_name="t1 dim cut",
            dir="auto",
        ),
        class_name="col grow merge-who",
    )


def _result() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            _side(tr("Goes to the trash"), MergeState.other),
            icon("arrow-right", cls="dim"),
            _side(tr("Stays"), MergeState.kept),
            class_name="row gap12 merge-pair",
        ),
        rx.el.h3(tr("The contact afterwards"), class_name="b"),
        rx.el.dl(
            _fact(tr("Name"), SEEN.name),
            _fact(tr("Job title"), SEEN.job),
            _fact(tr("Organization"), SEEN.organization),
            _fact(tr("Owner"), SEEN.owner),
            _facts(tr("Email"), SEEN.addresses),
            _facts(tr("Phone"), SEEN.phones),
            _fact(
                tr("Tracking consent"),
                rx.match(SEEN.consent, ("granted", tr("Agreed")), ("refused", tr("Declined")), tr("Not asked")),
            ),
            rx.cond(
                SEEN.moves.length() > 0,
                rx.fragment(
                    rx.el.dt(tr("Moves over")),
                    rx.el.dd(
                        rx.foreach(SEEN.moves, lambda each: rx.el.span(each, class_name="chip", key=each)),
                        class_name="row gap6 merge-moves",
                        data_testid="merge-moves",
                    ),
                ),
            ),
            class_name="facts facts-left merge-result",
            data_testid="merge-preview",
        ),
        error_line(MergeState.wrong),
        rx.el.div(
            button(tr("Choose another"), look="ghost", on_click=MergeState.choose(0), data_testid="merge-back"),
            rx.el.span(class_name="grow"),
            button(
                icon("arrow-right-left", size=14),
                tr("Keep the other one"),
                on_click=MergeState.swap,
                data_testid="merge-swap",
            ),
            ink(tr("Merge"), on_click=MergeState.confirm, auto_focus=True, data_testid="merge-confirm"),
            class_name="dlg-actions",
        ),
        class_name="col gap12",
    )


def _side(label: rx.Var[str], who: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.div(
        rx.el.span(label, class_name="t1 dim"),
        rx.el.div(avatar(who.initials, who.hue), _who(who), class_name="row gap6"),
        class_name="col grow merge-side",
    )


def _fact(label: rx.Var[str], value: rx.Var[str]) -> rx.Component:
    return rx.cond(value != "", rx.fragment(rx.el.dt(label), rx.el.dd(value, dir="auto")))


def _facts(label: rx.Var[str], values: rx.Var[tuple[str, ...]]) -> rx.Component:
    return rx.cond(
        values.length() > 0,
        rx.fragment(
            rx.el.dt(label),
            rx.el.dd(rx.foreach(values, lambda each: rx.el.span(each, dir="ltr", key=each)), class_name="col"),
        ),
    )
