"""Planners: from a task to a plan, one strategy a file.

A planner asks a model (or a person) for a plan and hands it back; it never executes anything. The agent checks the
plan, runs it, and decides whether to ask again.
"""

if __name__ != "agentkit.planners":
    raise ImportError("import agentkit.planners, not planners")
