"""Memory: what an agent carries from one step, run and session into the next.

Short-term memory keeps a conversation inside a token budget; long-term memory keeps records that later tasks recall.
"""

if __name__ != "agentkit.memory":
    raise ImportError("import agentkit.memory, not memory")
