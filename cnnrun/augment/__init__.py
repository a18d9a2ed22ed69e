"""ImageDataGenerator's parameters as a table of draws, and draws as pixels. Begin with draws.py.

fast_engine.py and keras_engine.py read the same table and give the same pixels. layers/ does the
same for Keras's image layers.
"""
