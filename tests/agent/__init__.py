"""Tests of `fairlead.agent`."""
