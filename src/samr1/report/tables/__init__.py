"""Tables with the published figures beside the measured ones, as Parquet, Markdown and HTML."""
