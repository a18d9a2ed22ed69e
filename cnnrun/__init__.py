"""cnnrun: experiments with convolutional networks from the command line.

The README draws the house. Begin reading with training/train.py.
"""

__version__ = "0.2.0"
