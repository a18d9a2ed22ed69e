"""A training as written by hand in Keras, what `cnnrun train` is compared with.

Run `python tests/benchmarks/plain_keras.py TASK.json`. The task names a folder with `train/`,
`validation/` and `test/`, a script that makes `model` (`cnnrun show --as keras` prints it: the same
layers and initial weights), batch size, epochs, augmentation, seed, and the way to feed images:

- `generator`: ImageDataGenerator, `flow_from_directory`, `fit`;
- `dataset`: `image_dataset_from_directory`, `cache`, `shuffle`, `prefetch`, with Keras's Random
  layers in a parallel `map`, as the guides of TensorFlow and Keras have it.

Prints a JSON line: seconds of each epoch's training steps, images, loss and accuracy on the test
images, peak memory.
"""

import json
import os
import resource
import runpy
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tensorflow as tf
from keras import layers


class Clock(keras.callbacks.Callback):
    """Times the training steps of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.ended = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(self.ended - self.begun)


def main(task):
    keras.utils.set_random_seed(task["seed"])
    load = {"generator": from_generators, "dataset": from_datasets}[task["way"]]
    training, validation, test = load(task)
    model = runpy.run_path(task["network"])["model"]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = Clock()
    model.fit(
        training, validation_data=validation, epochs=task["epochs"], verbose=0, callbacks=[clock]
    )
    loss, accuracy = model.evaluate(test, verbose=0)
    images = sum(1 for path in Path(task["folder"], "train").glob("*/*"))
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measured = {"training_s": clock.seconds, "images": images, "peak_memory_bytes": peak_kib * 1024}
    print(json.dumps(measured | {"loss": loss, "accuracy": accuracy}))


def from_generators(task):
    """Training, validation and test images, by ImageDataGenerator; decoded again each epoch."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    def flow(generator, part, shuffle):
        return generator.flow_from_directory(
            Path(task["folder"], part),
            target_size=task["image_size"],
            color_mode=task["color_mode"],
            interpolation="bilinear",
            batch_size=task["batch_size"],
            class_mode="sparse",
            shuffle=shuffle,
            seed=task["seed"],
        )

    plain = ImageDataGenerator()
    return (
        flow(ImageDataGenerator(**task["augment"]), "train", shuffle=True),
        flow(plain, "validation", shuffle=False),
        flow(plain, "test", shuffle=False),
    )


def from_datasets(task):
    """Training, validation and test images, by tf.data; decoded once."""

    def images_of(part, shuffle):
        return keras.utils.image_dataset_from_directory(
            Path(task["folder"], part),
            image_size=task["image_size"],
            color_mode=task["color_mode"],
            batch_size=task["batch_size"],
            shuffle=shuffle,
            seed=task["seed"],
            verbose=False,
        ).cache()

    augment = keras.Sequential(random_layers(task["augment"]))
    training = images_of("train", shuffle=True).shuffle(1000, seed=task["seed"])
    if task["augment"]:
        training = training.map(
            lambda images, labels: (augment(images, training=True), labels),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    return (
        training.prefetch(tf.data.AUTOTUNE),
        images_of("validation", shuffle=False).prefetch(tf.data.AUTOTUNE),
        images_of("test", shuffle=False).prefetch(tf.data.AUTOTUNE),
    )


def random_layers(augment):
    """Keras's layers for ImageDataGenerator's parameters."""
    made = {
        "rotation_range": lambda degrees: layers.RandomRotation(degrees / 360),
        "width_shift_range": lambda share: layers.RandomTranslation(0.0, share),
        "height_shift_range": lambda share: layers.RandomTranslation(share, 0.0),
        "shear_range": lambda degrees: layers.RandomShear(x_factor=degrees / 90),
        "zoom_range": lambda share: layers.RandomZoom((-share, share), (-share, share)),
        "horizontal_flip": lambda _: layers.RandomFlip("horizontal"),
    }
    return [made[name](value) for name, value in augment.items()]


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
