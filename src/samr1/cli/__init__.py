"""One small module a command: parse, load, call, write."""
