"""The composer, docked over a page or in place on a record: the same component."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button, kbd
from mailcrm.components.editor import mail_editor
from mailcrm.components.icons import icon
from mailcrm.components.states import wrong
from mailcrm.state.composer import ComposerState, DraftFile, Option
from mailcrm.state.i18n import tr

TYPING_PAUSE_MS = 600
#: Posts the form, so that Send takes what is in the fields now. A submit button would let Enter in a field send.
SUBMIT = "document.querySelector('form.composer')?.requestSubmit()"


def docked() -> rx.Component:
    """Return the composer over the page, when it is open there."""
    return rx.cond(
        ComposerState.place == "dock",
        rx.el.section(_composer(), class_name="composer-dock", role="dialog", aria_label=tr("New email")),
    )


def in_place() -> rx.Component:
    """Return the composer inside a record's page, when it is open there."""
    return rx.cond(
        ComposerState.place == "record",
        rx.el.section(_composer(), class_name="composer-in", aria_label=tr("New email")),
    )


def _composer() -> rx.Component:
    return rx.el.form(
        rx.el.header(
            rx.el.h2(ComposerState.title, class_name="t2 b cut", dir="auto"),
            rx.el.span(ComposerState.saved, class_name="t1 dim", role="status", data_testid="compose-saved"),
            rx.el.span(class_name="grow"),
            icon_button(
                "x",
                tr("Close and keep the draft"),
                on_click=ComposerState.close,
                data_testid="compose-close",
                custom_attrs={"data-key": "escape"},
            ),
            class_name="composer-bar",
        ),
        rx.el.div(
            rx.el.label(tr("To"), html_for="compose-to"),
            _line("to", ComposerState.to, testid="compose-to"),
            rx.cond(
                ComposerState.show_cc,
                rx.fragment(),
                button(tr("Cc Bcc"), look="ghost", size="btn-sm", on_click=ComposerState.more_fields),
            ),
            class_name="composer-line",
        ),
        rx.cond(
            ComposerState.show_cc,
            rx.fragment(
                rx.el.div(
                    rx.el.label(tr("Cc"), html_for="compose-cc"),
                    _line("cc", ComposerState.cc),
                    class_name="composer-line",
                ),
                rx.el.div(
                    rx.el.label(tr("Bcc"), html_for="compose-bcc"),
                    _line("bcc", ComposerState.bcc),
                    class_name="composer-line",
                ),
            ),
        ),
        rx.el.div(
            rx.el.label(tr("Subject"), html_for="compose-subject"),
            _line("subject", ComposerState.subject, testid="compose-subject", bold=True),
            _from(),
            class_name="composer-line",
        ),
        rx.el.div(
            rx.cond(
                ComposerState.deal != "",
                rx.el.span(
                    icon("circle-dollar-sign", size=14),
                    rx.el.span(ComposerState.deal, class_name="cut", dir="auto"),
                    class_name="chip chip-lg",
                ),
            ),
            rx.el.button(
                rx.cond(ComposerState.visibility == "shared", icon("users-round", size=14), icon("lock", size=14)),
                rx.cond(ComposerState.visibility == "shared", tr("Shared"), tr("Private")),
                type="button",
                class_name="chip chip-lg chip-line",
                on_click=ComposerState.toggle_visibility,
                style={"cursor": "pointer"},
            ),
            class_name="composer-line",
        ),
        mail_editor(
            ComposerState.html,
            lambda html: ComposerState.change_body(html, ComposerState.version),
            key=ComposerState.version,
            autofocus=ComposerState.to != "",
        ),
        rx.cond(
            ComposerState.quote != "",
            rx.el.details(
                rx.el.summary(tr("The earlier email is quoted below yours"), class_name="hint"),
                rx.el.div(ComposerState.quote, class_name="composer-quote", dir="auto"),
                button(tr("Send without the quote"), size="btn-sm", on_click=ComposerState.drop_quote),
                class_name="composer-quoted",
                key=ComposerState.version,
            ),
        ),
        rx.cond(
            ComposerState.files.length() > 0,
            rx.el.ul(rx.foreach(ComposerState.files, _file), class_name="files", style={"margin": "0 16px 8px"}),
        ),
        rx.cond(
            (ComposerState.untracked != "") & (ComposerState.track_opens | ComposerState.track_clicks),
            rx.el.p(
                icon("shield-question-mark", size=14),
                tr(
                    "{names} did not agree to tracking, so this email goes out untracked.",
                    names=ComposerState.untracked,
                ),
                class_name="banner banner-warn composer-consent",
                role="status",
            ),
        ),
        rx.cond(
            ComposerState.wrong != "",
            rx.el.div(wrong(ComposerState.wrong, data_testid="compose-error"), style={"padding": "6px 16px"}),
        ),
        rx.el.footer(
            button(
                rx.cond(ComposerState.sending, icon("loader-circle", cls="spin"), icon("send")),
                tr("Send"),
                look="ink",
                on_click=rx.call_script(SUBMIT),
                disabled=ComposerState.sending,
                data_testid="compose-send",
                custom_attrs={"data-key": "send"},
            ),
            _toggle("eye", tr("Opens"), ComposerState.track_opens, ComposerState.toggle_opens, "compose-track-opens"),
            _toggle(
                "mouse-pointer-click",
                tr("noun|Links"),
                ComposerState.track_clicks,
                ComposerState.toggle_clicks,
                "compose-track-clicks",
            ),
            rx.el.span(class_name="grow"),
            rx.el.span(kbd("Ctrl ↵"), tr("to send"), class_name="row gap4 t1 dim not-phone"),
            icon_button("trash-2", tr("Discard draft"), on_click=ComposerState.discard, data_testid="compose-discard"),
            class_name="composer-foot",
        ),
        on_submit=ComposerState.send,
        class_name="composer",
        style={"blockSize": "100%"},
        key=ComposerState.version,
        auto_complete="off",
    )


def _line(name: str, value: rx.Var[str], *, testid: str = "", bold: bool = False) -> rx.Component:
    return rx.el.input(
        id=f"compose-{name}",
        name=name,
        default_value=value,
        on_change=lambda text: ComposerState.change(name, text, ComposerState.version).debounce(TYPING_PAUSE_MS),
        class_name="b" if bold else "",
        dir="auto",
        data_testid=testid or f"compose-{name}",
        auto_complete="off",
        spell_check=name == "subject",
        custom_attrs={} if name == "subject" else {"aria-invalid": ComposerState.bad.length() > 0},
    )


def _from() -> rx.Component:
    return rx.el.select(
        rx.foreach(ComposerState.mailboxes, _option),
        value=ComposerState.from_id.to_string(),
        on_change=ComposerState.choose_from,
        aria_label=tr("From"),
        class_name="dim t1",
        style={"flex": "0 1 auto", "maxInlineSize": "220px"},
        data_testid="compose-from",
    )


def _option(each: rx.Var[Option]) -> rx.Component:
    return rx.el.option(each.label, value=each.id.to_string())


def _toggle(name: str, label: rx.Var[str], on: rx.Var[bool], act: rx.EventHandler, testid: str) -> rx.Component:
    return rx.el.button(
        icon(name),
        label,
        type="button",
        class_name="toggle",
        on_click=act,
        data_testid=testid,
        custom_attrs={"aria-pressed": on},
    )


def _file(row: rx.Var[DraftFile]) -> rx.Component:
    return rx.el.li(
        icon("file-text"),
        rx.el.span(row.name, class_name="cut grow", dir="auto"),
        rx.el.span(row.size, class_name="t1 dim num"),
        class_name="file",
    )
