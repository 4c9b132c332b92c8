"""The kinds of health check: one file each, and one row in the table."""
