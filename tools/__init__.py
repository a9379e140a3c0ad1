"""TODO room docstring."""

if __name__ != "agentkit.tools":
    raise ImportError("import agentkit.tools, not tools")
