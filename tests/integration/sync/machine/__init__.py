"""The sync engine between an IMAP server and a database that both may fail: parts of `test_machine.py`."""
