"""Servers of different datacenters: knowing one another, asking one another."""
