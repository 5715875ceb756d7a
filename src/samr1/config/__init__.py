"""The one schema of the configuration, and the merge of scale, run and benchmark."""
