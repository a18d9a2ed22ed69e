"""A run becomes a folder to hand over; begin reading at export_run.py."""
