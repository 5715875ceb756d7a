"""Curves, bars and pictures of answers."""
