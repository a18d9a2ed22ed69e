"""Which Keras classes a config cannot name, and why; which names Keras has changed.

A reason completes the sentence "Lambda is refused: ..." and names what to write instead.
"""

from collections.abc import Mapping
from typing import Final

BASE_CLASS: Final = "it is a base class that does nothing by itself"
CODE: Final = "it runs Python code, which a config cannot hold"
FOREIGN: Final = "it loads and runs a model of another framework"
CELL: Final = "it is the cell of a recurrent layer; use LSTM, GRU or SimpleRNN"
TEXT: Final = "it takes text or categories, and the input is images"
TWO_INPUTS: Final = (
    "it takes a query and a value, and a list of layers hands on one tensor; write"
    " `self_attention: {num_heads: 4}` for an image that attends to itself"
)
WITH_LABELS: Final = (
    "it mixes labels as well as images, and a layer sees images alone; write it into"
    " `augment.layers`"
)

REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "layers": {
        "FlaxLayer": FOREIGN,
        "JaxLayer": FOREIGN,
        "TFSMLayer": FOREIGN,
        "TorchModuleWrapper": FOREIGN,
        "Lambda": CODE,
        "Layer": BASE_CLASS,
        "Wrapper": BASE_CLASS,
        "InputSpec": BASE_CLASS,
        "Input": "the input follows from the data: data.image_size and data.color_mode",
        "InputLayer": "the input follows from the data: data.image_size and data.color_mode",
        "RNN": CELL,
        "StackedRNNCells": CELL,
        "LSTMCell": CELL,
        "GRUCell": CELL,
        "SimpleRNNCell": CELL,
        "Equalization": "Keras 3.15 cannot make it part of a network; `augment.layers` takes it",
        "Pipeline": "write its layers in the list themselves",
        "AdditiveAttention": TWO_INPUTS,
        "Attention": TWO_INPUTS,
        "GroupQueryAttention": TWO_INPUTS,
        "MultiHeadAttention": TWO_INPUTS,
        "CutMix": WITH_LABELS,
        "MixUp": WITH_LABELS,
        "MaxNumBoundingBoxes": "it takes bounding boxes, and the labels are classes",
        "HashedCrossing": TEXT,
        "Hashing": TEXT,
        "IntegerLookup": TEXT,
        "StringLookup": TEXT,
        "TextVectorization": TEXT,
        "ThresholdedReLU": "Keras 3 has it no more; use ReLU with threshold",
        "CuDNNLSTM": "Keras 3 has it no more; use LSTM",
        "CuDNNGRU": "Keras 3 has it no more; use GRU",
        "LocallyConnected1D": "Keras 3 has it no more",
        "LocallyConnected2D": "Keras 3 has it no more",
    },
    "image_layers": {
        "MaxNumBoundingBoxes": "it takes bounding boxes, and the labels are classes",
        "Pipeline": "write its layers in the list themselves",
        "RandomElasticTransform": "Keras takes the same noise for both directions, so that pixels"
        " move along one diagonal alone; RandomPerspective, RandomShear and RandomZoom change"
        " shapes along both",
        "Rescaling": "pixels are from 0 to 255 here; `preprocess.rescale` scales every image",
        "Normalization": "pixels are from 0 to 255 here; `preprocess` standardizes every image",
        "GaussianNoise": "it is a layer of the network, active in training alone; write it into"
        " `model.layers`",
    },
    "optimizers": {
        "Optimizer": BASE_CLASS,
        "MultiOptimizer": "it needs the layers themselves, which a config cannot hold",
        "OptimizerMap": "it needs the layers themselves, which a config cannot hold",
    },
    "schedules": {"LearningRateSchedule": BASE_CLASS},
    "losses": {
        "Loss": BASE_CLASS,
        "CTC": "it compares sequences, and the labels are classes",
    },
    "metrics": {
        "Metric": BASE_CLASS,
        "MeanMetricWrapper": CODE,
        "Mean": "it averages values, and knows nothing of labels and predictions",
        "Sum": "it adds values, and knows nothing of labels and predictions",
    },
    "callbacks": {
        "Callback": BASE_CLASS,
        "CallbackList": "write its callbacks in the list themselves",
        "LambdaCallback": CODE,
        "LearningRateScheduler": f"{CODE}; give the optimizer a schedule as its learning_rate",
        "RemoteMonitor": "it sends the metrics to a server",
        "ModelCheckpoint": "the run folder already holds the best model and the checkpoints",
        "OrbaxCheckpoint": "the run folder already holds the best model and the checkpoints",
        "BackupAndRestore": "cnnrun train --resume already continues an interrupted run",
        "TensorBoard": "it needs the tensorboard package, which cnnrun does not install;"
        " metrics.jsonl and plots/ of the run hold the curves",
        "CSVLogger": "metrics.jsonl of the run already holds a line an epoch",
        "History": "metrics.jsonl of the run already holds a line an epoch",
        "ProgbarLogger": "cnnrun train already shows the progress",
    },
    "initializers": {"Initializer": BASE_CLASS},
    "regularizers": {"Regularizer": BASE_CLASS},
    "constraints": {"Constraint": BASE_CLASS},
}

_CONVOLUTION_1: Final = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "dim_ordering": "data_format",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_POOLING_1: Final = {
    "border_mode": "padding",
    "stride": "strides",
    "dim_ordering": "data_format",
}

RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "Conv2D": _CONVOLUTION_1,
    "Convolution2D": _CONVOLUTION_1,
    "MaxPooling2D": _POOLING_1,
    "AveragePooling2D": _POOLING_1,
    "Dense": {"output_dim": "units", "init": "kernel_initializer", "bias": "use_bias"},
    "Dropout": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate"},
    "PReLU": {"init": "alpha_initializer"},
    "ReduceLROnPlateau": {"epsilon": "min_delta"},
}
"""Class -> old argument -> new argument; most are Keras 1's, which the older notes still use."""

RENAMED_IN_OPTIMIZERS: Final[Mapping[str, str]] = {"lr": "learning_rate"}
