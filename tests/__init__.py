"""Tests say, in sentences, what a user relies on. They mirror `src/fairlead/`."""
