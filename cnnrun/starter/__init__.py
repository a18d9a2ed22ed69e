"""What `cnnrun init` writes: the example project, or a config fitted to a folder of images.

Begin with example.py and fitted.py.
"""
