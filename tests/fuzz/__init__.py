"""Nonsense from outside: bytes, texts, files and flags that no honest client would send."""
