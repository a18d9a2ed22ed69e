"""From YAML text to frozen, typed values, or to every problem at once. Begin with load.py."""
