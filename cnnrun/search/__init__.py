"""A search for a better config, and what it is worth: begin reading at `run_search.py`."""
