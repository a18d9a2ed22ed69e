"""The experiments folder, readable without TensorFlow. Begin with folder.py."""
