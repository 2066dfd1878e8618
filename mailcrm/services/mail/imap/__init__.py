"""IMAP: `client.connect` and the values it returns. Nothing else in mailcrm speaks IMAP."""
