"""The DNS edge: what the catalog knows, as names and records.

A question becomes a lookup (`names.py`), a lookup records (`answers.py`), records
bytes (`wire.py`); `server.py` owns the sockets and keeps finished answers.
"""
