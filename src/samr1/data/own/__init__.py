"""Data sets of one's own: a reader a layout, questions → parts → one table of samples."""
