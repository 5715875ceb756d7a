"""Grounding DINO: from a question to the one box that fits it best."""

from samr1.detector.detector import Detection, Detector, best_boxes

__all__ = ["Detection", "Detector", "best_boxes"]
