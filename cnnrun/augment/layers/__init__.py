"""Keras's image layers as draws and pixels, without Keras. Begin with chain.py.

A layer is three functions: what it draws for each image, what becomes of pixels, and the words for
it. The distributions are those of Keras's `get_random_transformation`, drawn for each image from
(seed, epoch, image, layer); the pixels are those of its `transform_images` for what was drawn.
"""
