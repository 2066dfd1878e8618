"""Settings › Tracking: who may be tracked, the line below tracked email, how long events are kept (T09)."""

import reflex as rx

from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, radio_row, settings_page, switch_row, tick
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.tracking_policy import TrackingPolicyState

STATE = TrackingPolicyState


def settings_tracking() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(STATE.loaded, _rules(), bones(4)),
        here="tracking",
        title=tr("Tracking and consent"),
    )


def _rules() -> rx.Component:
    return rx.el.fieldset(
        rx.cond(
            ~STATE.admin,
            rx.el.div(
                icon("lock", cls="dim"),
                rx.el.p(tr("Only administrators change these."), class_name="dim"),
                class_name="note",
            ),
        ),
        error_line(STATE.wrong),
        option(
            tr("Who may be tracked"),
            tr(
                "Holds for everybody’s email, whatever is switched on for it. Decided for each recipient when it is sent."
            ),
            radio_row(
                "policy",
                "unless_refused",
                tr("Everybody who did not decline"),
                tr("People whose consent is unknown are tracked."),
                mark="shield-question",
                checked=STATE.policy == "unless_refused",
                on_pick=STATE.choose_policy("unless_refused"),
            ),
            radio_row(
                "policy",
                "only_granted",
                tr("Only people who agreed"),
                tr("Their contact page says so, with date and source. Everybody else gets email without tracking."),
                mark="shield-check",
                checked=STATE.policy == "only_granted",
                on_pick=STATE.choose_policy("only_granted"),
            ),
            tick(STATE.saved == "policy"),
        ),
        option(
            tr("Opt-out link"),
            tr("Leads to a page where recipients turn tracking off for their address, without signing in."),
            switch_row(
                tr("Say so below tracked email"),
                tr("“The sender can see when this email is opened…”, with the link, in the workspace’s language."),
                name="footer",
                checked=STATE.footer,
                on_change=STATE.switch_footer,
                saved=STATE.saved,
                testid="tracking-footer",
            ),
        ),
        option(
            tr("Keeping"),
            tr("Links in sent email go on working for ever, also when their events are gone."),
            _choice(
                "days",
                tr("Keep opens and clicks"),
                STATE.days,
                STATE.choose_days,
                [
                    ("90", tr("3 months")),
                    ("180", tr("6 months")),
                    ("365", tr("1 year")),
                    ("730", tr("2 years")),
                    ("0", tr("For ever")),
                ],
            ),
            _choice(
                "network_days",
                tr("Keep the hash of their network"),
                STATE.network_days,
                STATE.choose_network_days,
                [
                    ("0", tr("Not at all")),
                    ("1", tr("1 day")),
                    ("7", tr("7 days")),
                    ("30", tr("30 days")),
                ],
            ),
        ),
        disabled=~STATE.admin,
        class_name="plain-set",
        style={"border": "0", "padding": "0", "margin": "0", "minInlineSize": "0"},
    )


def _choice(
    name: str,
    label: rx.Var[str],
    value: rx.Var[str],
    on_change: rx.EventHandler,
    options: list[tuple[str, rx.Var[str]]],
) -> rx.Component:
    return rx.el.div(
        rx.el.label(label, html_for=f"tracking-{name}", class_name="b grow"),
        tick(STATE.saved == name),
        rx.el.select(
            *[rx.el.option(words, value=key) for key, words in options],
            id=f"tracking-{name}",
            value=value,
            on_change=on_change,
            class_name="pick",
            style={"inlineSize": "auto"},
            data_testid=f"tracking-{name}",
        ),
        class_name="switch-row",
    )
