"""cnnrun: experiments with convolutional networks from the command line.

Packages, from the top of the import graph to its bottom: cli, starter, training, models and data,
plots, runs, config, errors. Begin reading with training/train.py.
"""
