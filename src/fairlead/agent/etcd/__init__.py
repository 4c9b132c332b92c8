"""The etcd of several servers: they find each other, form it, run it and look after it."""
