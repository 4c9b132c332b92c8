"""Tests of `fairlead.dns`."""
