"""Does a training fit, which setting to change, how many hours, how much disk."""
