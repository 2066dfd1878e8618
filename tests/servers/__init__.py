"""Real mail servers for tests: Dovecot, an SMTP sink, and one IMAP server that misbehaves on purpose."""
