"""Keeping what TensorFlow says while it loads off the user's screen."""

import os


def silence_tensorflow() -> None:
    """Makes TensorFlow, loaded after this call, keep its start-up notes to itself.

    Its C++ side writes about processor features, absent graphics cards and oneDNN to stderr as it
    is loaded, and reads only the environment. What the user has set is kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
