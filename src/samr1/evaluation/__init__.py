"""Prediction, which needs the models, and scoring, which needs none."""
