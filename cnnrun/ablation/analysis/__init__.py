"""From the numbers of cells to what may be said. Begin with results.py."""
