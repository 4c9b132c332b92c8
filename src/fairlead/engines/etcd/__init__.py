"""The engine of several servers: etcd keeps the rows, orders them and elects who leads."""

from __future__ import annotations

import os

# gRPC writes to stderr what it also raises, a dozen lines for one failed handshake. It reads this
# when it is first imported, which only the modules below do.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
