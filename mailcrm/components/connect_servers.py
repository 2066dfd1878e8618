"""The servers and user names of a new mailbox, guessed and to be corrected: IMAP and SMTP, or Exchange's web services."""

import reflex as rx

from mailcrm.components.forms import choice, field, text_input
from mailcrm.state.connect import ConnectState
from mailcrm.state.i18n import tr

CHOSEN = ConnectState.chosen


def servers() -> rx.Component:
    """Return the folded part of the form; open where nothing is known of the provider."""
    return rx.el.details(
        rx.el.summary(tr("Servers and user name"), class_name="b"),
        rx.el.div(
            rx.cond(CHOSEN.key == "exchange", _protocol()),
            rx.cond(
                ConnectState.web_services,
                _server("ews", tr("Exchange server"), CHOSEN.imap_host, "443", "ssl"),
                rx.fragment(
                    _server(
                        "imap", tr("Incoming mail (IMAP)"), CHOSEN.imap_host, CHOSEN.imap_port, CHOSEN.imap_security
                    ),
                    _server(
                        "smtp", tr("Outgoing mail (SMTP)"), CHOSEN.smtp_host, CHOSEN.smtp_port, CHOSEN.smtp_security
                    ),
                ),
            ),
            rx.el.div(
                _name("mailbox_username", tr("User name"), CHOSEN.imap_username, "mailbox-username"),
                rx.cond(
                    ~ConnectState.web_services,
                    _name(
                        "mailbox_smtp_username",
                        tr("User name for sending"),
                        CHOSEN.smtp_username,
                        "mailbox-smtp-username",
                    ),
                ),
                class_name="grid2",
            ),
            class_name="col gap16",
        ),
        open=ConnectState.by_hand,
        class_name="connect-more",
        data_testid="mailbox-advanced",
    )


def _protocol() -> rx.Component:
    return field(
        tr("How mailcrm reads it"),
        choice(
            "mailbox_protocol",
            [("imap", "IMAP"), ("ews", tr("Exchange web services (EWS)"))],
            value=rx.cond(ConnectState.web_services, "ews", "imap"),
            on_change=ConnectState.choose_protocol,
            data_testid="mailbox-protocol",
        ),
        name="mailbox_protocol",
    )


def _name(name: str, label: rx.Var[str], value: rx.Var[str] | str, testid: str) -> rx.Component:
    return field(
        label,
        text_input(name, default_value=value, auto_complete="off", spell_check=False, data_testid=testid),
        name=name,
    )


def _server(
    kind: str, legend: rx.Var[str], host: rx.Var[str], port: rx.Var[str] | str, security: rx.Var[str] | str
) -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend(legend, class_name="b"),
        rx.el.div(
            _name(f"mailbox_{kind}_host", tr("Server"), host, f"mailbox-{kind}-host"),
            field(
                tr("Port"),
                text_input(
                    f"mailbox_{kind}_port",
                    default_value=port,
                    inputmode="numeric",
                    auto_complete="off",
                    data_testid=f"mailbox-{kind}-port",
                ),
                name=f"mailbox_{kind}_port",
            ),
            field(
                tr("Security"),
                choice(
                    f"mailbox_{kind}_security",
                    [("ssl", "SSL/TLS"), ("starttls", "STARTTLS"), ("none", tr("None (this machine only)"))],
                    default_value=security,
                    data_testid=f"mailbox-{kind}-security",
                ),
                name=f"mailbox_{kind}_security",
            ),
            class_name="grid3",
        ),
        class_name="fieldset",
    )
