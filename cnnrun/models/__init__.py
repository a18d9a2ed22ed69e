"""From a checked layer list to a keras.Model. Begin with network.py."""
