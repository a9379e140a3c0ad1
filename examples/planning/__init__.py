"""Ways of planning, one small program each."""
