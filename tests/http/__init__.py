"""Tests of `fairlead.http`."""
