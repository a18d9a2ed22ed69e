"""What users read: the manual's chapters (`*.md`), and what `cnnrun help` makes of them.

Begin reading at `chapters.py`. Nothing here loads TensorFlow or Keras. A new chapter is a new file
here: a title, then a sentence that says what it is for.
"""
