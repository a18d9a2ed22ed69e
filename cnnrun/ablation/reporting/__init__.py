"""A study as people read it: tables, pictures, report.md. Begin with report.py."""
