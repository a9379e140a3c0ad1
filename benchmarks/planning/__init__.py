"""The planner comparison: small typed tools, a bank of tasks over them, and what counts as solved."""
