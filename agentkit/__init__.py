"""agentkit: a plan is a typed program, checked before it runs."""
