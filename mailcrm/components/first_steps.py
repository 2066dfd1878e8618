"""The checklist of first steps, where no conversation is open: what to do, what is done, and how to put it away."""

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.icons import icon
from mailcrm.state.first_steps import FirstStepsState, StepRow
from mailcrm.state.i18n import tr


def first_steps() -> rx.Component:
    """Return the list while something is left of it; what is done is asked for when it comes into sight."""
    return rx.fragment(
        rx.el.span(hidden=True, on_mount=FirstStepsState.load),
        rx.cond(FirstStepsState.rows.length() > 0, _list()),
    )


def _list() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            rx.el.h2(tr("First steps"), class_name="b grow"),
            rx.el.span(
                tr("{done} of {total}", done=FirstStepsState.done, total=FirstStepsState.rows.length()),
                class_name="t1 dim num",
            ),
            icon_button("x", tr("Put this list away"), custom_attrs={"data-steps-hide": ""}),
            class_name="row gap6",
        ),
        rx.el.ol(rx.foreach(FirstStepsState.rows, _step)),
        class_name="checklist",
        aria_label=tr("First steps"),
        data_testid="first-steps",
    )


def _step(row: rx.Var[StepRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(
            rx.cond(row.done, icon("circle-check", cls="first-done"), icon("circle", cls="dim")),
            rx.el.span(row.text, class_name="grow"),
            rx.cond(row.done, rx.el.span(tr("Done"), class_name="sr"), icon("arrow-right", size=14, cls="dim")),
            href=row.href,
            class_name="row gap6 first-step",
            custom_attrs={"data-done": row.done},
        ),
        key=row.href,
    )
