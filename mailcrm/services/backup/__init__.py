"""Backups: one file from a running server, and a server from one file (`mailcrm backup`, `mailcrm restore`).

archive.py    the file: members, checksums, nothing else is believed
snapshot.py   the database as it was at one instant
keybox.py     the keys, under a passphrase
make.py       a backup while everything runs
hold.py       what waited to go out is held, so that a restore sends nothing again
load.py       a snapshot back into a database
restore.py    a backup into an empty data folder
"""
