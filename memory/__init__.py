"""TODO room docstring."""

if __name__ != "agentkit.memory":
    raise ImportError("import agentkit.memory, not memory")
