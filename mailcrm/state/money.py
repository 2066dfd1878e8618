"""Amounts as people type them, to integer minor units of their currency. Pure."""

from decimal import ROUND_HALF_UP, Decimal

from mailcrm.errors import UserError
from mailcrm.services import i18n
from mailcrm.services.i18n import N_

#: Offered in forms, the workspace's own first; any ISO 4217 code is stored.
CURRENCIES = (
    "EUR", "USD", "GBP", "JPY", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "TRY", "AED", "SAR", "INR",
    "CNY", "KRW", "SGD", "AUD", "NZD", "CAD", "BRL", "MXN", "ZAR",
)  # fmt: skip
MOST_DIGITS = 15  # fits a 63-bit integer in every currency


def minor_units(text: str, currency: str) -> int:
    """Return an amount as it is typed (48,200 or 48.200,50) in minor units; "" is 0.

    Raises UserError("input.invalid") when it is no amount.
    """
    plain = "".join(char for char in text if not char.isspace() and char not in "'’€$£¥₩")
    if not plain:
        return 0
    last = max(plain.rfind("."), plain.rfind(","))
    if last >= 0 and (len(plain) - last - 1 != 3 or plain[0] == "0" or "." in plain and "," in plain):
        # The last separator starts the decimals, unless exactly three digits follow the only kind there is.
        plain = plain[:last].replace(".", "").replace(",", "") + "." + plain[last + 1 :]
    else:
        plain = plain.replace(".", "").replace(",", "")
    whole, _, decimals = plain.partition(".")
    if not (whole + decimals).isdecimal() or len(plain) > MOST_DIGITS:  # no sign, no exponent, no NaN
        raise UserError("input.invalid", value=text[:40], field=N_("Value"))
    return int((Decimal(plain) * 10 ** i18n.minor_digits(currency)).quantize(Decimal(1), ROUND_HALF_UP))


def plain_amount(minor: int, currency: str) -> str:
    """Return minor units as `minor_units` reads them again."""
    digits = i18n.minor_digits(currency)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if rest else str(whole)
