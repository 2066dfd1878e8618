"""Settings › Notifications: what the bell tells at once, what in a digest, and when it is quiet (T08)."""

import reflex as rx

from mailcrm import routes
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.components.settings import option, settings_page, switch_row, tick
from mailcrm.components.states import bones
from mailcrm.state.i18n import tr
from mailcrm.state.notifying import NotifyingState

STATE = NotifyingState


def settings_notifications() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(STATE.loaded, _choices(), bones(4)),
        here="notifications",
        title=tr("Notifications"),
    )


def _choices() -> rx.Component:
    return rx.fragment(
        option(
            tr("Tracking"),
            tr("What the bell tells you. The marks on your emails are always up to date."),
            _kind("open", "eye", tr("Opens"), tr("Someone opened an email.")),
            _kind("click", "mouse-pointer-click", tr("Clicks"), tr("Someone clicked a link.")),
            _kind("replied", "reply", tr("Answers"), tr("Someone answered an email that you track.")),
            rx.el.p(
                tr("Digest: one line every full hour. Many opens within minutes are always one line."),
                class_name="t1 dim",
            ),
            rx.el.p(
                tr("Whether an email tells you at all is set for each mailbox."),
                " ",
                rx.el.a(tr("Email sync"), href=routes.SETTINGS_SYNC, class_name="link"),
                class_name="t1 dim",
            ),
        ),
        option(
            tr("Quiet hours"),
            tr("What happens meanwhile is told when they end."),
            switch_row(
                tr("Keep quiet"),
                tr("Your time zone is {zone}.", zone=STATE.zone),
                name="quiet",
                checked=STATE.quiet,
                on_change=STATE.switch_quiet,
                saved=STATE.saved,
                testid="quiet-hours",
            ),
            rx.cond(
                STATE.quiet,
                rx.el.div(
                    _hour("from", tr("time|From"), STATE.quiet_from),
                    _hour("until", tr("time|Until"), STATE.quiet_until),
                    class_name="row gap12 quiet-hours",
                ),
            ),
            error_line(STATE.wrong),
        ),
        option(
            tr("Problems"),
            tr("Email that wasn’t delivered, mailboxes that stopped."),
            rx.el.div(
                icon("triangle-alert", cls="dim"),
                rx.el.p(tr("These are always told at once, and so are your reminders."), class_name="dim"),
                class_name="note",
            ),
        ),
    )


def _kind(kind: str, picture: str, label: rx.Var[str], text: rx.Var[str]) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.p(icon(picture, size=14), label, class_name="row gap6 b"),
            rx.el.p(text, class_name="t1 dim"),
            class_name="col grow",
        ),
        tick(STATE.saved == kind),
        rx.el.div(
            *[_choice(kind, choice, words) for choice, words in _words()],
            class_name="seg seg-box",
            role="group",
            aria_label=label,
        ),
        class_name="switch-row notify-row",
    )


def _words() -> tuple[tuple[str, rx.Var[str]], ...]:
    return ("bell", tr("At once")), ("digest", tr("Digest")), ("off", tr("Off"))


def _choice(kind: str, choice: str, words: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        words,
        type="button",
        on_click=STATE.choose(kind, choice),
        data_testid=f"notify-{kind}-{choice}",
        custom_attrs={"aria-pressed": STATE.kinds[kind] == choice},
    )


def _hour(which: str, label: rx.Var[str], value: rx.Var[str]) -> rx.Component:
    return rx.el.div(
        rx.el.label(label, html_for=f"quiet_{which}"),
        rx.el.input(
            type="time",
            id=f"quiet_{which}",
            default_value=value,
            key=value,
            on_blur=lambda hour: STATE.change_hour(which, hour),
            class_name="input",
            required=True,
            data_testid=f"quiet-{which}",
        ),
        class_name="field",
    )
