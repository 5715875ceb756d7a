"""The vision-language model: loading, prompts and answers in every dialect, attention, adapters."""
