"""What a trained network makes of images, and how good that is. Begin with evaluate.py."""
