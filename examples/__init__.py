"""Worked examples of agentkit; each folder runs by itself."""
