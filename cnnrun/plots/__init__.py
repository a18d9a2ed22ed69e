"""From numbers to figures, a function a figure; never loads TensorFlow. Begin with figures.py."""
