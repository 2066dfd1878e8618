"""Persons, organizations, pipelines, deals and leads, their timelines, and what ties mail to them (linking/).

Every user of the workspace sees and changes every row that is not in the trash; which mail stands in a timeline is
decided message by message (services/access.py).
"""
