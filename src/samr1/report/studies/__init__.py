"""Several seeds, sweeps and long trainings: tables, pictures and declared verdicts."""
