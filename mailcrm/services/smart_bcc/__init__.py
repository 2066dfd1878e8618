"""Smart Bcc (M01, M21, M22): mail from any program lands in the CRM by one more address.

listener.py, drop.py   the two ways in: each commits the bytes and a row of `bcc_arrivals`, and decides nothing
intake.py              the job: whose it is, whether it is genuine, where it goes; every end has its reason
author.py, aligned.py, originals.py, forms.py, dates.py, loops.py   pure: what a message says
authentic.py           SPF, DKIM and ARC: the one module that asks name servers
keep.py, holder.py     stores what was accepted, in the hidden mailbox of its user, and links it
addresses.py, alternatives.py, arrivals.py, drop_settings.py   what people do about it
"""
