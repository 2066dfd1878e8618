"""Settings › People: who has an account here, invitations by link, teams, and who sees what."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog, question
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones
from mailcrm.components.teams import teams_section, who_sees_what
from mailcrm.state.i18n import tr
from mailcrm.state.team import Colleague, TeamState


def settings_people() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(
            TeamState.loaded,
            rx.el.ul(rx.foreach(TeamState.rows, _row), class_name="people-rows", data_testid="user-list"),
            bones(3),
        ),
        rx.cond(
            TeamState.loaded & ~TeamState.admin,
            rx.el.p(tr("Administrators invite colleagues and switch accounts off."), class_name="hint"),
        ),
        teams_section(),
        who_sees_what(),
        _invite(),
        question(
            open_when=TeamState.leaving > 0,
            on_open_change=TeamState.close_question,
            title=tr("Switch off the account of {name}?", name=TeamState.leaving_name),
            text=tr(
                "They are signed out at once and can’t sign in any more. Their private email stays private, "
                "and what they shared stays where it is."
            ),
            label=tr("Switch off"),
            on_confirm=TeamState.disable,
            testid="user-disable-confirm",
        ),
        question(
            open_when=TeamState.unlocking > 0,
            on_open_change=lambda _open: TeamState.ask_unlock(0),
            title=tr("Reset two-step sign-in of {name}?", name=TeamState.unlocking_name),
            text=tr("The password alone signs them in until they set it up again. This is written to the audit log."),
            label=tr("Reset"),
            on_confirm=TeamState.unlock,
            testid="user-unlock-confirm",
        ),
        here="people",
        title=tr("team|People"),
        action=rx.cond(
            TeamState.admin,
            button(
                icon("user-round-plus"),
                tr("Invite a colleague"),
                look="ink",
                on_click=TeamState.show_invite(True),
                data_testid="invite-open",
            ),
        ),
    )


def _row(row: rx.Var[Colleague]) -> rx.Component:
    return rx.el.li(
        avatar(row.initials, row.hue, size="md", mine=row.me),
        rx.el.div(
            rx.el.span(
                rx.el.span(row.name, class_name="b cut", dir="auto"),
                rx.cond(row.me, rx.el.span(tr("You"), class_name="chip")),
                class_name="row gap6",
            ),
            rx.el.span(row.email, class_name="t1 dim cut"),
            class_name="col grow",
        ),
        rx.cond(
            row.disabled,
            rx.el.span(icon("ban", size=14), tr("Switched off"), class_name="row gap4 dim"),
            rx.cond(
                row.admin,
                rx.el.span(icon("shield", size=14), tr("Administrator"), class_name="row gap4"),
                rx.el.span(tr("Member"), class_name="dim"),
            ),
        ),
        rx.cond(
            TeamState.admin & ~row.disabled & ~row.me & row.second,
            icon_button(
                "shield-off",
                tr("Reset two-step sign-in"),
                on_click=TeamState.ask_unlock(row.id),
                data_testid="user-unlock",
            ),
        ),
        rx.cond(
            TeamState.admin & ~row.disabled & ~row.me,
            icon_button(
                "key-round",
                tr("Send a link to a new password"),
                on_click=TeamState.send_link(row.id),
                data_testid="user-link",
            ),
        ),
        rx.cond(
            TeamState.admin & ~row.disabled & ~row.me,
            icon_button(
                "user-round-x", tr("Switch off"), on_click=TeamState.ask_disable(row.id), data_testid="user-disable"
            ),
            rx.el.span(class_name="icon-gap"),
        ),
        class_name="people-row",
        data_testid="user-row",
        custom_attrs={"data-off": row.disabled},
        key=row.id,
    )


def _invite() -> rx.Component:
    return form_dialog(
        rx.cond(
            TeamState.link == "",
            rx.el.form(
                field(
                    tr("Email, if only one address may use it"),
                    text_input(
                        "invite_email",
                        placeholder=tr("name@company.com"),
                        auto_complete="off",
                        data_testid="invite-email",
                    ),
                    name="invite_email",
                ),
                field(
                    tr("Role"),
                    choice(
                        "invite_role",
                        [("member", tr("Member")), ("admin", tr("Administrator"))],
                        data_testid="invite-role",
                    ),
                    name="invite_role",
                ),
                error_line(TeamState.wrong),
                dialog_actions(tr("Make a link"), "invite-create"),
                on_submit=TeamState.invite,
                class_name="col gap12",
            ),
            rx.el.div(
                rx.el.div(
                    rx.el.input(
                        value=TeamState.link,
                        read_only=True,
                        class_name="input mono",
                        aria_label=tr("Link"),
                        data_testid="invite-link",
                    ),
                    button(
                        icon("copy"),
                        tr("Copy"),
                        look="ink",
                        on_click=[rx.set_clipboard(TeamState.link), rx.toast(tr("Link copied"))],
                        data_testid="invite-copy",
                    ),
                    class_name="row",
                ),
                rx.el.p(
                    tr("Send it to your colleague. It works once, for a week, and is not shown again."),
                    class_name="hint",
                ),
                class_name="col gap12",
            ),
        ),
        open_when=TeamState.inviting,
        on_open_change=TeamState.show_invite,
        title=tr("Invite a colleague"),
        text=tr("Your colleague opens a link and chooses a password. mailcrm sends no email for this."),
    )
