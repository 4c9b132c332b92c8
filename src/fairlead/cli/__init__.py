"""The command line: one verb, one file, imported when it is used.

Rule: no rules of the state; verbs talk to an agent through `client`.
"""
