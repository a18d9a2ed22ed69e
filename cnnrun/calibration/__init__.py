"""Probabilities that mean something; no TensorFlow. Begin with probability_map.py."""
