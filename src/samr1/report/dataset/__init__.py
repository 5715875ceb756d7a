"""A data set of one's own as it was read: what is in it, what is not, and twelve samples drawn."""
