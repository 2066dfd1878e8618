"""The strips of the composer: sender, links and visibility, consent, the quote, the time to send at, what stopped it."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.edit_field import shown_field
from mailcrm.components.icons import icon
from mailcrm.components.states import wrong
from mailcrm.state.composer import ComposerState
from mailcrm.state.composer_parts import Later, Option
from mailcrm.state.composer_tools import ComposerToolsState
from mailcrm.state.i18n import tr

#: What stopped the email stands below the choice of a time: the choice goes when a time was picked.
_FOLD = "; document.querySelector('form.composer [data-key=later]')?.click()"


def submit(later: str = "''", anyway: str = "") -> str:
    """Return the script that posts the form: what is on the screen is what is sent."""
    return (
        "(() => { const form = document.querySelector('form.composer'); if (!form) return;"
        f" form.querySelector('[name=later]').value = {later};"
        f" form.querySelector('[name=anyway]').value = '{anyway}'; form.requestSubmit(); }})()"
    )


def sender() -> rx.Component:
    """Return the choice of mailbox or alias."""
    return rx.el.select(
        rx.foreach(ComposerState.mailboxes, _option),
        value=ComposerState.sender,
        on_change=ComposerState.choose_from,
        aria_label=tr("From"),
        class_name="dim t1",
        style={"flex": "0 1 auto", "maxInlineSize": "220px"},
        data_testid="compose-from",
    )


def _option(each: rx.Var[Option]) -> rx.Component:
    return rx.el.option(each.label, value=each.id)


def crm_strip() -> rx.Component:
    """Return what the email is linked to, who will see it, and the way to templates."""
    linked = (ComposerState.deal != "") | (ComposerState.lead != "") | (ComposerState.thread_deal != "")
    shared = ComposerState.visibility == "shared"
    return rx.el.div(
        rx.el.button(
            rx.cond(ComposerState.lead != "", icon("sprout", size=14), icon("circle-dollar-sign", size=14)),
            rx.el.span(
                rx.cond(
                    ComposerState.deal + ComposerState.lead != "",
                    ComposerState.deal + ComposerState.lead,
                    rx.cond(ComposerState.thread_deal != "", ComposerState.thread_deal, tr("Link to a deal or lead")),
                ),
                class_name="cut",
                dir="auto",
            ),
            icon("chevron-down", size=14, cls="dim"),
            type="button",
            class_name=rx.cond(linked, "chip chip-lg", "chip chip-lg chip-line"),
            on_click=ComposerToolsState.open_picker("link"),
            data_testid="compose-link",
            title=rx.cond(
                (ComposerState.deal + ComposerState.lead == "") & (ComposerState.thread_deal != ""),
                tr("The conversation is linked to this deal."),
                "",
            ),
            custom_attrs={"aria-expanded": ComposerToolsState.kind == "link"},
        ),
        rx.cond(
            ComposerState.offered != "",
            rx.el.span(
                rx.el.button(
                    icon("link", size=13),
                    rx.el.span(tr("Link to {deal}?", deal=ComposerState.offered), class_name="cut", dir="auto"),
                    type="button",
                    class_name="chip chip-lg chip-suggest",
                    on_click=ComposerState.take_offer,
                    data_testid="compose-offer",
                ),
                icon_button("x", tr("Don’t link"), on_click=ComposerState.drop_offer, data_testid="compose-offer-no"),
                class_name="row composer-offer",
            ),
        ),
        rx.el.button(
            rx.cond(shared, icon("users-round", size=14), icon("lock", size=14)),
            rx.cond(shared, tr("Shared"), tr("Private")),
            type="button",
            class_name="chip chip-lg chip-line",
            title=rx.cond(
                shared,
                tr("Colleagues who may see the linked person, deal or lead can read this email."),
                tr("Only you can read this email."),
            ),
            on_click=ComposerState.toggle_visibility,
            data_testid="compose-visibility",
        ),
        rx.el.span(
            rx.cond(
                shared,
                tr("Colleagues who may see the linked person, deal or lead can read this email."),
                tr("Only you can read this email."),
            ),
            class_name="t1 dim cut grow composer-who",
        ),
        button(
            tr("Preview"), look="ghost", size="btn-sm", on_click=ComposerToolsState.open_picker("preview"),
            data_testid="compose-preview",
        ),
        button(
            tr("Template"), look="ghost", size="btn-sm", on_click=ComposerToolsState.open_picker("templates"),
            data_testid="compose-template",
        ),
        class_name="composer-line composer-crm",
    )  # fmt: skip


def text_frame(page: Any, title: Any) -> rx.Component:
    """Return a text in a frame that runs nothing: without scripts its origin only lets it read the interface's font."""
    return rx.el.iframe(
        custom_attrs={"srcDoc": page}, sandbox="allow-same-origin", title=title, class_name="composer-frame"
    )


def quote() -> rx.Component:
    """Return the quoted email, folded behind a button with three dots."""
    return rx.cond(
        ComposerState.quote != "",
        rx.el.details(
            rx.el.summary("…", title=tr("Show the quoted email"), aria_label=tr("Show the quoted email")),
            text_frame(ComposerState.quote, tr("Quoted email")),
            button(tr("Send without the quote"), size="btn-sm", on_click=ComposerState.drop_quote),
            class_name="composer-quoted",
            data_testid="compose-quote",
            key=ComposerState.version,
        ),
    )


def send_later() -> rx.Component:
    """Return the choice of a time and of a reminder."""
    return rx.cond(
        ComposerState.later,
        rx.el.section(
            rx.foreach(ComposerState.times, _time),
            rx.el.div(
                shown_field(
                    rx.el.input(
                        type="datetime-local", class_name="input", aria_label=tr("Date and time"), id="compose-at",
                        data_testid="later-at",
                    )
                ),
                button(
                    tr("Schedule"), look="line", size="btn-sm", data_testid="later-pick",
                    on_click=rx.call_script(
                        f"if (document.querySelector('#compose-at')?.value) {{ {submit('document.querySelector(`#compose-at`).value')}{_FOLD} }}"
                    ),
                ),
                class_name="row gap6",
            ),
            rx.el.p(ComposerState.zone, class_name="t1 dim", dir="ltr"),
            rx.el.label(
                tr("Remind me when nobody answers"),
                rx.el.select(
                    rx.el.option(tr("Never"), value="0"),
                    *[
                        rx.el.option(tr("in a day") if n == 1 else tr("in {n} days", n=n), value=str(n))
                        for n in (1, 2, 3, 5, 7, 14, 30)
                    ],
                    value=ComposerState.remind.to_string(),
                    on_change=ComposerState.choose_remind,
                    class_name="pick",
                    data_testid="compose-remind",
                ),
                class_name="composer-remind t1",
            ),
            rx.cond(
                ComposerState.answers,
                rx.el.label(
                    tr("After sending"),
                    rx.el.select(
                        rx.el.option(tr("Keep the conversation"), value=""),
                        rx.el.option(tr("Mark as done (archive)"), value="done"),
                        rx.el.option(tr("Snooze until tomorrow"), value="tomorrow"),
                        rx.el.option(tr("Snooze until Monday"), value="monday"),
                        rx.el.option(tr("Snooze for a week"), value="week"),
                        value=ComposerState.after,
                        on_change=ComposerState.choose_after,
                        class_name="pick",
                        data_testid="compose-after",
                    ),
                    class_name="composer-remind t1",
                ),
            ),
            class_name="composer-later",
            aria_label=tr("Send later"),
        ),
    )  # fmt: skip


def _time(row: rx.Var[Later]) -> rx.Component:
    return rx.match(  # a script is constant: what a Var says would stand in it as text
        row.kind,
        ("hour", _time_button(row, "hour", tr("In an hour"))),
        ("evening", _time_button(row, "evening", tr("This evening"))),
        ("tomorrow", _time_button(row, "tomorrow", tr("Tomorrow morning"))),
        _time_button(row, "monday", tr("Monday morning")),
    )


def _time_button(row: rx.Var[Later], kind: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        rx.el.span(label, class_name="grow"),
        rx.el.span(row.when, class_name="t1 dim num"),
        type="button",
        class_name="menu-item",
        on_click=rx.call_script(submit(f"document.querySelector('[data-later={kind}]').dataset.at") + _FOLD),
        data_testid=f"later-{kind}",
        custom_attrs={"data-later": kind, "data-at": row.local},
    )


def consent() -> rx.Component:
    """Return whom the email does not track, and what they get; enforced when it is sent (T09)."""
    return rx.cond(
        (ComposerState.consent != "") & (ComposerState.track_opens | ComposerState.track_clicks),
        rx.el.div(
            icon("shield-question", size=14),
            rx.el.span(ComposerState.consent, class_name="grow", dir="auto"),
            rx.cond(
                ComposerState.may_ask,
                button(tr("Ask first"), size="btn-sm", on_click=ComposerState.ask_consent, data_testid="consent-ask"),
            ),
            button(
                tr("Send untracked"), size="btn-sm", on_click=ComposerState.send_untracked,
                data_testid="consent-untracked",
            ),
            class_name="banner banner-warn composer-consent row gap6",
            role="status",
            data_testid="compose-consent",
        ),
    )  # fmt: skip


def copies() -> rx.Component:
    """Return the choice to send each recipient a copy of their own (B04), where there are several and it is tracked."""
    return rx.cond(
        ComposerState.several & (ComposerState.track_opens | ComposerState.track_clicks) & ~ComposerState.plain,
        rx.el.label(
            rx.el.input(
                type="checkbox",
                checked=ComposerState.track_copies & ~ComposerState.too_many,
                disabled=ComposerState.too_many,
                on_change=ComposerState.toggle_copies,
                class_name="tick-box",
                data_testid="compose-copies",
            ),
            rx.cond(
                ComposerState.too_many,
                tr("More than 25 recipients get one email together, so it can’t be told who opened."),
                tr("Know who opened: send each recipient a copy of their own"),
            ),
            class_name="composer-line row gap6 t1 dim",
            title=tr("Each copy counts against the number of emails that your provider lets you send in a day."),
        ),
    )


def stopped() -> rx.Component:
    """Return why it was not sent or saved, with what can be done."""
    return rx.fragment(
        rx.cond(
            ComposerState.stale,
            rx.el.div(
                rx.el.span(tr("This draft was changed in another tab."), class_name="grow"),
                button(tr("Load the newer text"), size="btn-sm", on_click=ComposerState.load_newer, data_testid="stale-load"),
                button(tr("Keep this text"), size="btn-sm", on_click=ComposerState.keep_mine, data_testid="stale-keep"),
                class_name="banner banner-warn composer-consent row gap6",
                role="alert",
                data_testid="compose-stale",
            ),
        ),
        rx.cond(
            ComposerState.wrong != "",
            rx.el.div(
                wrong(ComposerState.wrong, data_testid="compose-error"),
                rx.cond(
                    ComposerState.lacking,
                    rx.el.div(
                        button(
                            tr("Fill in"), size="btn-sm", data_testid="compose-fill",
                            on_click=rx.call_script("document.querySelector('.composer .mc-merge')?.click()"),
                        ),
                        button(
                            tr("Send anyway"), size="btn-sm", data_testid="compose-anyway",
                            on_click=rx.call_script(submit("form.querySelector('[name=later]').value", anyway="1")),
                        ),
                        class_name="row gap6",
                    ),
                ),
                style={"padding": "6px 16px"},
            ),
        ),
    )  # fmt: skip
