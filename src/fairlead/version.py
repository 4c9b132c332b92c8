"""What this is, and which Consul's API it speaks."""

__all__ = ["API_VERSION", "__version__"]

__version__ = "0.1.0"

API_VERSION = "1.8.7"
"""The Consul whose answers are the reference; clients read it in `/v1/agent/self`."""
