"""TODO room docstring."""

if __name__ != "agentkit.planners":
    raise ImportError("import agentkit.planners, not planners")
