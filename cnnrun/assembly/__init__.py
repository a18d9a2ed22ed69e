"""From config and data to what can be trained. Begin with preparing.py."""
