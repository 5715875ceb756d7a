"""Sampling a group from one shared prompt, and log-probabilities over it."""
