"""Reflex's configuration, from mailcrm.config; nothing else is decided here."""

import reflex as rx

from mailcrm.components.frontend import InterFont, OwnOrigin
from mailcrm.config import config as settings
from mailcrm.endpoints.origin import allowed_origins

config = rx.Config(
    app_name="mailcrm",
    redis_url=settings().redis_url or None,
    state_manager_mode=rx.constants.StateManagerMode.REDIS
    if settings().redis_url
    else rx.constants.StateManagerMode.MEMORY,
    cors_allowed_origins=list(allowed_origins(settings().public_url)),  # default is "*", the socket included (F16)
    trusted_proxy_hops=settings().proxy_hops,
    telemetry_enabled=False,
    show_built_with_reflex=False,
    frontend_lazy_bundled_libraries=True,
    plugins=[
        rx.plugins.RadixThemesPlugin(
            theme=rx.theme(
                appearance="inherit",
                accent_color="indigo",
                gray_color="slate",
                radius="large",
                scaling="100%",
                panel_background="solid",
            )
        ),
        InterFont(),
        OwnOrigin(),
    ],
    disable_plugins=[rx.plugins.SitemapPlugin],  # would publish the routes
)
