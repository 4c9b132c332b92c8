"""The Python client of the HTTP API: what the command line talks through.

Synchronous, one connection, no dependency beyond the standard library, quick to
import.

Rule: nothing here knows a verb, and nothing prints.
"""

from fairlead.client.address import Address, environment, environment_switch
from fairlead.client.api import APIError, Client, Reply
from fairlead.client.tls import TLSOptions

__all__ = [
    "APIError",
    "Address",
    "Client",
    "Reply",
    "TLSOptions",
    "environment",
    "environment_switch",
]
