"""The four steps of connecting a mailbox, and those of the live test in the second of them."""

import reflex as rx

from mailcrm.components.icons import icon
from mailcrm.state.connect import ConnectState
from mailcrm.state.connect_steps import TestStep
from mailcrm.state.i18n import tr


def connect_progress(at: rx.Var[int]) -> rx.Component:
    """Return the steps; `at` counts from one."""
    steps = (tr("Provider"), tr("Sign in"), tr("Folders"), tr("Defaults"))
    return rx.el.ol(
        *[
            rx.el.li(
                rx.el.span(
                    rx.cond(at > n, icon("check", size=12), str(n)),
                    class_name="step-no num",
                    aria_hidden="true",
                ),
                rx.el.span(label),
                custom_attrs={
                    "aria-current": rx.cond(at == n, "step", "false"),
                    "data-done": rx.cond(at > n, "true", "false"),
                },
            )
            for n, label in enumerate(steps, start=1)
        ],
        class_name="connect-progress grow",
        aria_label=tr("Steps"),
    )


def test_steps() -> rx.Component:
    """Return what is tested, with what came of it so far."""
    return rx.el.ol(
        rx.foreach(ConnectState.steps, _step),
        class_name="steps-list card connect-steps",
        data_testid="mailbox-steps",
        custom_attrs={"aria-live": "polite"},
    )


def _step(step: rx.Var[TestStep]) -> rx.Component:
    return rx.el.li(
        rx.match(
            step.state,
            ("ok", icon("check", cls="step-ok")),
            ("bad", icon("x", cls="step-bad")),
            ("run", icon("loader-circle", cls="spin")),
            ("skip", icon("minus", cls="dim")),
            icon("circle-dashed", cls="dim"),
        ),
        rx.el.div(
            rx.el.span(step.label, class_name=rx.cond(step.state == "bad", "b step-bad", "b")),
            rx.cond(
                step.text != "",
                rx.el.span(step.text, class_name="dim", role=rx.cond(step.state == "bad", "alert", "none")),
            ),
            class_name="connect-step grow",
        ),
        rx.el.span(step.took, class_name="t1 dim num"),
        custom_attrs={"data-step": step.name, "data-state": step.state},
        key=step.name,
    )
