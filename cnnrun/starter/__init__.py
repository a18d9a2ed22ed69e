"""What `cnnrun init` writes: the packaged example project, or a config fitted to a folder of images."""
