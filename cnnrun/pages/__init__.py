"""Runs and studies as one HTML file, from their files alone, without TensorFlow.

Begin with run_page.py.
"""
