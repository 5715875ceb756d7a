"""The procedural world, the tiny models and their shipped weights."""
