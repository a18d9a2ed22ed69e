"""A study in, an answer with error bars out: studies, planning, execution, analysis, reporting.

Begin with run_study.py. Networks are built and trained in other processes, by execution/worker.py.
"""
