"""The HTTP edge: bytes to handlers and back.

`wire.py` speaks HTTP/1.1, `routes.py` is the whole surface on one page,
`app.py` turns a request into an answer and every error into a status.

Rule: no rules of the state and no storage; handlers call `core` and `store`.
"""
