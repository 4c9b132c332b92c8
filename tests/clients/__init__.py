"""Clients that others wrote, unmodified."""
