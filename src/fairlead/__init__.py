"""Fairlead: find, configure and command services, on one registry.

`fairlead.client.Client` talks to an agent; `fairlead.errors` has every error it
raises; `fairlead.version.__version__` says what this is. The command line is
`fairlead.cli.main`, the agent `fairlead.agent.agent`.
"""
