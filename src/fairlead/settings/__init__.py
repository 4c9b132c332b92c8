"""The agent's own configuration: flags, files, defaults and what is wrong with them.

`schema.py` knows every key, `sources.py` reads and merges files, `settings.py`
is the result: typed, checked, with a default on every field.
"""
