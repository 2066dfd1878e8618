"""An IMAP server in memory: an account that programs change (`account`), sessions that speak of it (`session`), and a
socket without a network (`memory`). No threads, no clock, no file: what happens when is the test's choice.
"""
