"""Every answer of the runs on one page."""
