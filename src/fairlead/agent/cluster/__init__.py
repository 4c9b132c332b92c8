"""How agents on other nodes belong to a server: links, heartbeats, membership, coordinates."""
