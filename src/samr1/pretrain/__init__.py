"""The cold start of the tiny models."""
