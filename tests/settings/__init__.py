"""Tests of `fairlead.settings`."""
