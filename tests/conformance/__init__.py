"""The same requests to real Consul and to Fairlead, answers compared."""
