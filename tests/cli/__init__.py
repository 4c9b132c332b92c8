"""Tests of `fairlead.cli`."""
