"""Moving the whole state from one place to another: `fairlead operator migrate`."""
