"""Curves, bars, histograms and pictures of answers."""
