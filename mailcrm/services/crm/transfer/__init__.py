"""CSV in and out (B14).

reading, values, fields, drafts, decide, formulas: pure. directory loads what is there, writing stores, imports holds the
verbs of an import, export streams.
"""
