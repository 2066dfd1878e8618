"""Ties mail to persons, deals and leads: `match` decides (pure), `link` writes, `panel` shows."""
