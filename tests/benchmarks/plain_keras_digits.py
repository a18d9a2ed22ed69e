"""The digits network as written by hand: what `cnnrun train` is timed against.

Prints a JSON line: wall seconds from the start of the process to the end of `fit`, the training
images, and the seconds of each epoch's training steps.
"""

import json
import os
import sys
import time

started = float(sys.argv[2])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
from keras import layers  # noqa: E402

EPOCHS = 20


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


def block(x, filters):
    x = layers.Conv2D(filters, 3, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation("relu")(x)


keras.utils.set_random_seed(0)
training, validation = keras.utils.image_dataset_from_directory(
    sys.argv[1],
    color_mode="grayscale",
    image_size=(8, 8),
    batch_size=32,
    seed=0,
    validation_split=0.3,
    subset="both",
    verbose=False,
)
held_out = validation.unbatch().take(270).batch(32).cache().prefetch(8)
images = 1258
training = training.cache().prefetch(8)

inputs = keras.Input((8, 8, 1))
x = layers.Rescaling(1 / 255)(inputs)
x = block(x, 32)
x = block(x, 64)
x = layers.MaxPooling2D()(x)
x = block(x, 64)
x = layers.GlobalAveragePooling2D()(x)
model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
schedule = keras.optimizers.schedules.CosineDecay(3e-3, 40 * EPOCHS)
model.compile(
    keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
clock = Clock()
history = model.fit(
    training, validation_data=held_out, epochs=EPOCHS, verbose=0, callbacks=[clock]
).history
print(
    json.dumps(
        {
            "to_end_of_fit_s": time.time() - started,
            "images": images,
            "training_s": clock.seconds,
            "val_accuracy": history["val_accuracy"][-1],
        }
    )
)
