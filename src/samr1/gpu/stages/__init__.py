"""One module a stage: `look(setting)` yields what it finds as soon as it is found."""
