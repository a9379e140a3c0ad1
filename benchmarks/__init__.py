"""Measurements of agentkit; each module prints a table or JSON."""
