"""A network and images in, arrays on disk out: inference, extraction, probes, the bottleneck cache.

Begin with `extract.py`.
"""
