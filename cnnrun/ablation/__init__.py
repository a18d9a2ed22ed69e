"""A study in, an answer with error bars out: cells, runs, statistics, report.

Begin with `study.py`. Only `worker.py`, which runs in other processes, loads TensorFlow.
"""
