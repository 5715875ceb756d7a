"""Fetching, and readers of every layout into one table of samples; sampling; resizing."""
