"""The planner: which settings reach a limit at least energy, area or time."""
