"""The command line: run, plan, check, runs, models, doctor."""
