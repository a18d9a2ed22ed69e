"""A digits network with batch norm at a position, as written by hand: an arm and seed of bn-order.

`python plain_keras_batch_norm.py DIGITS POSITION SEED EPOCHS`: trains, tests, prints the result.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
from keras import layers

folder, position, seed, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def block(x, filters):
    if position == "before_convolution":
        x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Conv2D(filters, 3, padding="same")(x)
    if position == "before_activation":
        x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation("relu")(x)
    if position == "after_activation":
        x = layers.BatchNormalization(momentum=0.9)(x)
    return x


keras.utils.set_random_seed(seed)
training, held_out = keras.utils.image_dataset_from_directory(
    folder,
    color_mode="grayscale",
    image_size=(8, 8),
    batch_size=32,
    seed=0,
    validation_split=0.3,
    subset="both",
    verbose=False,
)
validation = held_out.unbatch().take(268).batch(32).cache().prefetch(8)
test = held_out.unbatch().skip(268).batch(32).cache().prefetch(8)
training = training.cache().prefetch(8)

inputs = keras.Input((8, 8, 1))
x = layers.Rescaling(1 / 255)(inputs)
x = block(x, 32)
x = block(x, 64)
x = layers.MaxPooling2D()(x)
x = block(x, 64)
x = layers.GlobalAveragePooling2D()(x)
model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
schedule = keras.optimizers.schedules.CosineDecay(3e-3, 40 * epochs)
model.compile(
    keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
model.fit(training, validation_data=validation, epochs=epochs, verbose=0)
loss, accuracy = model.evaluate(test, verbose=0)
print(json.dumps({"loss": loss, "accuracy": accuracy, "parameters": model.count_params()}))
