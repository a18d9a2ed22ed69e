"""The straight line from a config to a run. Begin with train.py."""
