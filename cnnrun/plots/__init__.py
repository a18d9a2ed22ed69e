"""From numbers to figures; never loads TensorFlow."""
