"""The DNS questions put to both agents."""
