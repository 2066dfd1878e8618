"""The composer, docked over a page or in place on a record: the same component."""

import reflex as rx

from mailcrm.components.buttons import button, icon_button, kbd
from mailcrm.components.compose_files import ComposerKeeper, attach_button, compose_files
from mailcrm.components.composer_picker import picker
from mailcrm.components.composer_recipients import recipients
from mailcrm.components.composer_strips import consent, copies, crm_strip, quote, send_later, sender, stopped, submit
from mailcrm.components.editor import mail_editor
from mailcrm.components.icons import icon
from mailcrm.components.writing import subject_fields
from mailcrm.state.composer import ComposerState
from mailcrm.state.composer_parts import Tab
from mailcrm.state.composer_tools import ComposerToolsState
from mailcrm.state.i18n import tr
from mailcrm.state.nav import NavState


def docked() -> rx.Component:
    """Return the composer over the page, when it is open there."""
    return rx.fragment(
        rx.cond(
            ComposerState.place == "dock",
            rx.el.section(
                _composer(),
                class_name="composer-dock",
                role="dialog",
                aria_label=tr("New email"),
                custom_attrs={"data-wide": ComposerState.wide},
            ),
        ),
        rx.cond(
            ComposerState.tabs.length() > 0,
            rx.el.div(
                rx.foreach(ComposerState.tabs, _tab),
                class_name="composer-tabs",
                custom_attrs={"data-beside": ComposerState.place == "dock"},
            ),
        ),
        # addresses and mailto: links anywhere in the app come through here (assets/keys.js)
        rx.el.button(
            type="button",
            id="mailto-open",
            hidden=True,
            tab_index=-1,
            on_click=ComposerState.compose_mailto(rx.Var("(window.mailcrmMailto ?? '')").to(str)),
            custom_attrs={"data-mode": NavState.me.mail_links},
        ),
        ComposerKeeper.create(
            version=ComposerState.version,
            draft=ComposerState.draft_id,
            place=ComposerState.place,
            on_lost=ComposerState.open_draft,
        ),
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
            rx.cond(
                ComposerState.place == "dock",
                rx.el.span(
                    icon_button(
                        "minus", tr("Minimise"), on_click=ComposerState.minimise, data_testid="compose-minimise"
                    ),
                    icon_button(
                        "maximize-2", tr("Larger or smaller"), on_click=ComposerState.widen, data_testid="compose-widen"
                    ),
                    class_name="row not-phone",
                ),
            ),
            icon_button(
                "x",
                tr("Close and keep the draft"),
                on_click=ComposerState.close,
                data_testid="compose-close",
                custom_attrs={"data-key": "escape"},
            ),
            class_name="composer-bar",
        ),
        recipients(
            ComposerState.draft_id,
            ComposerState.to,
            ComposerState.cc,
            ComposerState.bcc,
            lambda role, text: ComposerState.change(role, text, ComposerState.version),
            key=f"people{ComposerState.version}",
            refused=ComposerState.refused,
            autofocus=ComposerState.to == "",
        ),
        rx.el.div(
            rx.el.label(tr("Subject"), html_for="compose-subject"),
            _subject(),
            # in an answer braces are the other side's words: they stay what they are (writing/fill.py)
            rx.cond(
                ~ComposerState.answers,
                subject_fields(ComposerState.fields, "compose-subject", "compose-subject-field", small=True),
            ),
            sender(),
            class_name="composer-line",
        ),
        rx.cond(
            ComposerState.subject_shown != "",
            rx.el.p(
                tr("Preview: {text}", text=ComposerState.subject_shown),
                class_name="composer-line composer-reads t1 dim",
                dir="auto",
                data_testid="compose-subject-preview",
            ),
        ),
        crm_strip(),
        mail_editor(
            ComposerState.html,
            lambda html, number: ComposerState.change_body(html, number, ComposerState.version),
            key=ComposerState.version,
            autofocus=ComposerState.to != "",
            fields=ComposerState.fields,
            who=ComposerState.first,
            templates_url="/compose/templates",
            on_template=ComposerToolsState.use_template,
            upload_url=f"/drafts/{ComposerState.draft_id}/files",
            pictures_url=f"/drafts/{ComposerState.draft_id}/pictures/",
            draft=ComposerState.draft_id,
            saved=ComposerState.saved_body,
            plain=ComposerState.plain,
            on_plain=lambda plain: ComposerState.change_plain(plain, ComposerState.version),
        ),
        quote(),
        compose_files(
            f"/drafts/{ComposerState.draft_id}/files",
            mailbox=ComposerState.from_id,
            key=f"files{ComposerState.version}",
        ),
        consent(),
        copies(),
        stopped(),
        rx.el.div(custom_attrs={"data-editor-tools": ""}),  # the editor's toolbar stands here
        rx.el.footer(
            rx.el.span(
                button(
                    rx.cond(ComposerState.sending, icon("loader-circle", cls="spin"), rx.fragment()),
                    tr("Send"),
                    look="ink",
                    on_click=rx.call_script(submit()),
                    disabled=ComposerState.sending,
                    data_testid="compose-send",
                    custom_attrs={"data-key": "send"},
                ),
                button(
                    icon("chevron-down", size=14),
                    look="ink",
                    on_click=ComposerState.toggle_later,
                    aria_label=tr("Send later"),
                    title=tr("Send later"),
                    data_testid="compose-later",
                    custom_attrs={"data-key": "later", "aria-expanded": ComposerState.later},
                ),
                class_name="composer-send",
            ),
            _toggle("eye", tr("Opens"), ComposerState.track_opens, ComposerState.toggle_opens, "compose-track-opens"),
            _toggle(
                "mouse-pointer-click",
                tr("noun|Links"),
                ComposerState.track_clicks,
                ComposerState.toggle_clicks,
                "compose-track-clicks",
            ),
            attach_button(),
            rx.el.span(class_name="grow"),
            rx.el.span(kbd("Ctrl ↵"), tr("to send"), class_name="row gap4 t1 dim not-phone"),
            icon_button("trash-2", tr("Discard draft"), on_click=ComposerState.discard, data_testid="compose-discard"),
            class_name="composer-foot",
        ),
        # not inputs: React would put their first values back whenever this renders again
        rx.el.textarea(name="later", hidden=True, read_only=True, aria_hidden="true", tab_index=-1),
        rx.el.textarea(name="anyway", hidden=True, read_only=True, aria_hidden="true", tab_index=-1),
        send_later(),
        picker(),
        on_submit=ComposerState.send,
        class_name="composer",
        style={"blockSize": "100%"},
        key=ComposerState.version,
        auto_complete="off",
    )


def _subject() -> rx.Component:
    """Return the subject, which the rows of recipients report with their own (composer_recipients.jsx)."""
    return rx.el.input(
        id="compose-subject",
        name="subject",
        default_value=ComposerState.subject,
        class_name="b",
        dir="auto",
        data_testid="compose-subject",
        auto_complete="off",
        spell_check=True,
    )


def _tab(row: rx.Var[Tab]) -> rx.Component:
    return rx.el.div(
        rx.el.button(
            icon("pencil", size=14),
            rx.el.span(row.title, class_name="cut", dir="auto"),
            type="button",
            class_name="composer-tab-open",
            on_click=ComposerState.open_draft(row.id),
            data_testid="compose-tab",
        ),
        icon_button("x", tr("Close and keep the draft"), on_click=ComposerState.close_tab(row.id)),
        class_name="composer-tab",
        key=row.id,
    )


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
