"""Tests of `fairlead.core`."""
