"""Blocksworld: plans that a STRIPS validator refuses and that are repaired, and plans that a tree search finds."""
