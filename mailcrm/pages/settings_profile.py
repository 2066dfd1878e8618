"""Settings › Profile: one's own name, language, theme and time zone; each saves as soon as it is changed."""

import reflex as rx
from reflex.style import set_color_mode

from mailcrm import routes
from mailcrm.components.buttons import button
from mailcrm.components.density import density_choice
from mailcrm.components.forms import NativeForm, choice, error_line, text_input
from mailcrm.components.icons import icon
from mailcrm.components.remote_images import remote_images
from mailcrm.components.settings import option, settings_page, tick
from mailcrm.components.states import bones
from mailcrm.state.i18n import LANGUAGES, tr
from mailcrm.state.profile import ProfileState


def settings_profile() -> rx.Component:
    """Return the page."""
    return settings_page(
        rx.cond(ProfileState.loaded, _fields(), bones(4)),
        here="profile",
        title=tr("Profile"),
    )


def _fields() -> rx.Component:
    return rx.fragment(
        option(
            tr("Name"),
            tr("How colleagues and recipients see you."),
            _saving(
                "name",
                text_input(
                    "profile_name",
                    default_value=ProfileState.name,
                    on_blur=lambda value: ProfileState.change("name", value),
                    auto_complete="name",
                    dir="auto",
                    aria_label=tr("Name"),
                    data_testid="profile-name",
                ),
            ),
            error_line(ProfileState.wrong),
        ),
        option(
            tr("Email"),
            tr("You sign in with this address."),
            rx.el.p(ProfileState.email, class_name="plain-value", dir="ltr"),
        ),
        option(
            tr("Language"),
            tr("For menus, dates and amounts."),
            _saving(
                "language",
                choice(
                    "profile_language",
                    list(LANGUAGES.items()),
                    value=ProfileState.language,
                    on_change=lambda value: ProfileState.change("language", value),
                    aria_label=tr("Language"),
                    data_testid="profile-language",
                ),
            ),
        ),
        option(
            tr("Appearance"),
            tr("System follows your computer."),
            _saving(
                "theme",
                rx.el.div(
                    _theme("light", "sun", tr("Light")),
                    _theme("dark", "moon", tr("Dark")),
                    _theme("system", "monitor", tr("System")),
                    class_name="seg seg-box",
                    role="group",
                    aria_label=tr("Appearance"),
                ),
            ),
        ),
        option(
            tr("Density"),
            tr("Compact shows one line for each conversation. This browser keeps it."),
            density_choice("profile_density"),
        ),
        option(
            tr("Time zone"),
            tr("Times on screen are shown in it."),
            _saving(
                "time_zone",
                rx.el.select(
                    rx.foreach(ProfileState.zones, lambda zone: rx.el.option(zone, value=zone, key=zone)),
                    id="profile_zone",
                    value=ProfileState.time_zone,
                    on_change=lambda value: ProfileState.change("time_zone", value),
                    class_name="pick",
                    aria_label=tr("Time zone"),
                    data_testid="profile-zone",
                ),
            ),
        ),
        option(
            tr("Undo send"),
            tr("How long an email waits before it leaves."),
            _saving(
                "undo_seconds",
                choice(
                    "profile_undo",
                    [("0", tr("Off")), *[(str(n), tr("{n} seconds", n=n)) for n in (5, 10, 20, 30)]],
                    value=ProfileState.undo_seconds,
                    on_change=ProfileState.change_undo,
                    aria_label=tr("Undo send"),
                    data_testid="profile-undo",
                ),
            ),
        ),
        option(
            tr("Email links"),
            tr("What opens when you click an address."),
            _saving(
                "mail_links",
                rx.el.div(
                    choice(
                        "profile_links",
                        [("mailcrm", tr("This app")), ("system", tr("The system’s email program"))],
                        value=ProfileState.mail_links,
                        on_change=ProfileState.change_links,
                        aria_label=tr("Email links"),
                        data_testid="profile-links",
                    ),
                    button(
                        tr("Open links of other pages here"),
                        custom_attrs={"data-register-mail": ""},
                        data_testid="register-mail",
                    ),
                    class_name="col gap6",
                ),
            ),
        ),
        remote_images(),
        option(
            tr("This browser"),
            tr("Ends your session here. Other browsers stay signed in."),
            NativeForm.create(  # the navigation's menu is out of reach on a phone
                button(tr("Log out"), type="submit", data_testid="profile-logout"),
                action=routes.AUTH_LOGOUT,
                method="post",
            ),
        ),
    )


def _saving(name: str, control: rx.Component) -> rx.Component:
    return rx.el.div(
        rx.el.div(control, class_name="profile-control"), tick(ProfileState.saved == name), class_name="row gap12"
    )


def _theme(value: str, name: str, label: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        icon(name, size=14),
        label,
        type="button",
        on_click=[set_color_mode(value), ProfileState.change("theme", value)],
        data_testid=f"theme-{value}",
        custom_attrs={"aria-pressed": ProfileState.theme == value},
    )
