"""Metrics and predictions made into what people read: tables, figures, gallery, studies."""
