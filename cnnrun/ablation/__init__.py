"""A study in, an answer with error bars out: studies, planning, execution, analysis, reporting.

Begin with run_study.py. Only the workers of `execution` load TensorFlow, in other processes.
"""
