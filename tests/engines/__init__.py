"""Tests of `fairlead.engines`."""
