"""Cells become runs, in worker processes here or on a cluster. Begin with run_cells.py."""
