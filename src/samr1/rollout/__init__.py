"""Slots, one decoding step, sampling a group from a shared prompt; log-probabilities over it."""
