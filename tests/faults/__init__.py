"""Three servers under faults, clients that note all they were told, and a check of it all.

`python -m tests.faults` is the tool; docs/fault-tests.md says what it does. The
`test_*.py` here test the tool itself.
"""
