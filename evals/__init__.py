"""Evaluations: cases, metrics, runners and reports that measure agents through agentkit's public names only."""

if __name__ != "agentkit.evals":
    raise ImportError("import agentkit.evals, not evals")
