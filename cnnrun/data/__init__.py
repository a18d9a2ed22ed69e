"""From folders, CSV files and arrays to batches. Begin with manifest.py."""
