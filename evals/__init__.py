"""TODO room docstring."""

if __name__ != "agentkit.evals":
    raise ImportError("import agentkit.evals, not evals")
