"""What will happen, before it is trained: augmented images, the first batch, the time of a step."""
