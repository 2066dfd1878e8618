"""Signing in at Google and Microsoft in place of a password.

flow      sends a person there and takes what comes back: a new mailbox, or one connected again
tokens    the grant of a mailbox: its token, renewed ahead of its end by one process at a time; taken back at the end
google, microsoft    what is particular to each, over google-auth-oauthlib and msal
values, http, refusals    what is common
"""
