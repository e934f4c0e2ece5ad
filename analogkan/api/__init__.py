"""What ``analogkan`` is in Python: the command line's verbs, for notebooks and scripts."""
