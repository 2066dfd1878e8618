"""Images that mail loads from the network: hidden until their reader asks, then fetched by us, for nobody to see who reads.

choices.py whose images are shown without asking, signing.py the addresses of ours that stand for theirs, shown.py the
one image a browser asks for, fetch.py the way out, cache.py what was fetched. What a message holds is decided by
parse/html.py, what is a tracker by parse/trackers.py.
"""
