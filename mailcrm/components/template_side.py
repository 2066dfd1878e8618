"""Beside the open template: what became of its emails, and how a contact would get it."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.components.writing import preview_frame
from mailcrm.state.i18n import tr
from mailcrm.state.template_rows import PersonChoice
from mailcrm.state.templates import TemplatesState

STATE = TemplatesState
PAUSE_MS = 180


def template_side() -> rx.Component:
    """Return what became of the open template's emails, and how somebody would get it."""
    return rx.el.aside(
        rx.cond(
            STATE.results.sent != "",
            rx.el.div(
                rx.el.h2(tr("Your results, 90 days"), class_name="dim"),
                rx.el.div(
                    _figure(STATE.results.sent, tr("Sent")),
                    _figure(STATE.results.opened, tr("Opened")),
                    _figure(STATE.results.clicked, tr("Clicked")),
                    _figure(STATE.results.replied, tr("Replied")),
                    class_name="tpl-figures",
                    data_testid="template-results",
                ),
                class_name="tpl-sect",
            ),
        ),
        rx.el.div(
            rx.el.div(rx.el.h2(tr("Preview with"), class_name="dim grow"), _person(), class_name="row gap6"),
            preview_frame(STATE.preview_url, STATE.preview_subject, tr("Preview")),
            rx.foreach(
                STATE.missing,
                lambda why: rx.el.p(
                    icon("triangle-alert", size=14),
                    rx.el.span(why, dir="auto"),
                    class_name="tpl-missing",
                    data_testid="template-missing",
                ),
            ),
            class_name="tpl-sect col gap12",
        ),
        class_name="tpl-side",
        aria_label=tr("Preview"),
    )


def _figure(value: rx.Var[str], label: Any) -> rx.Component:
    return rx.cond(
        value != "",
        rx.el.div(rx.el.span(value, class_name="t4 b num"), rx.el.span(label, class_name="t1 dim"), class_name="col"),
    )


def _person() -> rx.Component:
    return rx.popover.root(
        rx.popover.trigger(
            button(
                rx.el.span(rx.cond(STATE.person.id > 0, STATE.person.name, tr("Nobody")), class_name="cut", dir="auto"),
                icon("chevron-down", size=14),
                look="line",
                size="btn-sm",
                data_testid="template-person",
            )
        ),
        rx.popover.content(
            rx.el.input(
                type="search",
                class_name="input",
                placeholder=tr("Find a contact"),
                aria_label=tr("Find a contact"),
                on_change=lambda text: STATE.find_person(text).debounce(PAUSE_MS),
                data_testid="template-person-search",
            ),
            rx.el.div(rx.foreach(STATE.people, _choice), class_name="col pick-found"),
            class_name="pop",
            style={"padding": "8px", "inlineSize": "260px"},
            align="end",
        ),
    )


def _choice(each: rx.Var[PersonChoice]) -> rx.Component:
    return rx.popover.close(
        rx.el.button(
            rx.el.span(each.name, class_name="cut tpl-who", dir="auto"),
            rx.el.span(each.detail, class_name="dim t1 cut grow", dir="ltr"),
            type="button",
            class_name="menu-item",
            on_click=STATE.preview_with(each.id),
            data_testid="template-person-choice",
            key=each.id,
        )
    )
