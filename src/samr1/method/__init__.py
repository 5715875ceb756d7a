"""Section 3 of the paper as pure functions: advantage, objective, rewards."""
