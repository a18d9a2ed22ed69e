"""Every message about values: the whole text, for each way of being wrong."""

import pytest
from syrupy.assertion import SnapshotAssertion

from .conftest import DATA, MODEL, Complain, with_data, with_layers, with_train

CONV = "conv_block: {filters: 4, kernel_size: 3"

LAYERS = {
    "maps of arguments": "- BatchNormalization:\n"
    "    {renorm: true, renorm_clipping: {rmin: 3, rmax: 0.3}}\n"
    "- BatchNormalization: {renorm: true, renorm_clipping: {rmaxx: 3, dmax: -1}}\n"
    "- BatchNormalization: {renorm: true, renorm_clipping: 3}",
    "unknown layer": "- Conv2d: {filters: 4, kernel_size: 3}\n- Convolve\n- Wavelet\n- dense",
    "unknown argument": "- Conv2D: {filtres: 4, kernel_size: 3}\n- Flatten: {colour: 1}",
    "renamed argument": "- LeakyReLU: {alpha: 0.1}\n- Dropout: {p: 0.5}",
    "required arguments": "- Conv2D\n- Dense: {}\n- Dropout:\n- conv_block\n- dense_block",
    "wrong type": "- Conv2D: {filters: many, kernel_size: 3, use_bias: no, padding: 1}\n"
    "- Dense: {units: 4.0}\n- Dense: {units: '4'}\n- Dense: {units: 1_000}\n"
    "- Dense: {units: [4]}\n- Dense: {units: true}\n- Dense: {units: }\n- Dense: {units: {a: 1}}",
    "out of range": "- Conv2D: {filters: -3, kernel_size: 0}\n- Dropout: {rate: 1.5}\n"
    "- BatchNormalization: {momentum: 2, epsilon: 0}\n- MaxPooling2D: {pool_size: 0}\n"
    "- ReLU: {negative_slope: -1, max_value: -1, threshold: -1}\n- SpatialDropout2D: {rate: -0.1}\n"
    "- Dense: {units: 99999999999999999999}\n- Dropout: {rate: .nan}",
    "wrong length": "- Conv2D: {filters: 4, kernel_size: [3]}\n"
    "- MaxPooling2D: {pool_size: [2, 2, 2]}\n- Conv1D: {filters: 4, kernel_size: [3, 3]}",
    "wrong choice": "- Conv2D: {filters: 4, kernel_size: 3, padding: causal}\n"
    "- Conv2D: {filters: 4, kernel_size: 3, padding: Same, data_format: channel_first}\n"
    "- UpSampling2D: {interpolation: cubic}",
    "strides with dilation": "- Conv2D: {filters: 4, kernel_size: 3, dilation_rate: 2, strides: 3}"
    "\n- Conv2D: {filters: -1, kernel_size: 3, strides: [1, 2], dilation_rate: [2, 1]}\n"
    "- DepthwiseConv2D: {kernel_size: 3, strides: 2, dilation_rate: 3}\n"
    f"- {CONV}, strides: 2, dilation_rate: 2}}",
    "groups": "- Conv2D: {filters: 6, kernel_size: 3, groups: 4}\n"
    f"- {CONV}, groups: 3}}\n- {CONV}, groups: 2, convolution: SeparableConv2D}}",
    "unequal depthwise strides": "- DepthwiseConv2D: {kernel_size: 3, strides: [1, 2]}\n"
    f"- {CONV}, strides: [2, 1], convolution: SeparableConv2D}}",
    "output padding": "- Conv2DTranspose: {filters: 4, kernel_size: 3, output_padding: 2}",
    "permutation and shape": "- Permute: {dims: [0, 1, 2]}\n- Reshape: {target_shape: [-1, -1]}\n"
    "- Reshape: {target_shape: 64}\n- Cropping2D: {cropping: [1, 2, 3]}\n"
    "- ZeroPadding2D: {padding: [[1, 1], [-1, 1]]}\n- Dropout: {rate: 0.1, noise_shape: 3}",
    "statistics": "- Normalization: {mean: 0.5}\n- Discretization\n- CategoryEncoding",
    "image layers": "- RandomZoom: {height_factor: -1}\n- RandomRotation: {factor: 2}\n"
    "- RandomGaussianBlur: {kernel_size: 4}\n- Rescaling: {scale: big}\n"
    "- GaussianNoise: {stddev: 2}",
    "seed": "- Dropout: {rate: 0.5, seed: -1}\n- Dropout: {rate: 0.5, seed: 1.5}",
    "initializers": "- Dense: {units: 4, kernel_initializer: he_normall}\n"
    "- Dense: {units: 4, kernel_initializer: {HeNormal: {sed: 1}}}\n"
    "- Dense: {units: 4, kernel_initializer: {VarianceScaling: {scale: 0, mode: fan}}}\n"
    "- Dense: {units: 4, kernel_initializer: {RandomUniform: {minval: 1, maxval: 0}}}\n"
    "- Dense: {units: 4, bias_initializer: 0}\n- Dense: {units: 4, bias_initializer: none}",
    "regularizers and constraints": "- Dense: {units: 4, kernel_regularizer: L3}\n"
    "- Dense: {units: 4, kernel_regularizer: {L2: {l2: -1}}}\n"
    "- Dense: {units: 4, kernel_regularizer: {L2: 0.1}}\n"
    "- Dense: {units: 4, kernel_constraint: {MinMaxNorm: {min_value: 2, max_value: 1}}}\n"
    "- Dense: {units: 4, kernel_constraint: {MaxNorm: }}\n- Dense: {units: 4, bias_constraint: 3}",
    "activations": "- Dense: {units: 4, activation: rellu}\n- Activation: hard_sigmod\n"
    "- Activation: {activation: {relu: {max_value: 6}}}\n"
    "- Dense: {units: 4, activation: {PReLU: {}}}\n- Activation: {activation: }",
    "refused layers": "- Lambda: {function: 'print(1)'}\n- TFSMLayer: {filepath: x}\n"
    "- InputLayer\n- MixUp",
    "several inputs": "- Add\n- Concatenate: {axis: 1}",
    "wrong indentation": "- Conv2D:\n  filters: 4\n  kernel_size: 3",
    "two layers in one entry": "- Flatten: {}\n  Dense: {units: 4}",
    "no layer": "- 3\n- [Flatten]\n- {}\n-",
    "arguments that are no map": "- Dense: 10\n- MaxPooling2D: [2, 2]\n- conv_block: 32",
    "wrappers": "- Bidirectional: {layer: {Dense: {units: 3}}}\n"
    "- TimeDistributed: {layer: {Dense: {unit: 3}}}",
    "block keys": "- conv_block: {filters: 4, kernel_size: 3, activations: relu, name: a/b}\n"
    "- dense_block: {units: 3, kernel_size: 3}\n- repeat: {time: 2, layers: [Flatten]}",
    "block values": f"- {CONV}, batch_norm: before, activation: PRelu, dropout: 1}}\n"
    f"- {CONV}, batch_norm: true, padding: full, convolution: Conv3D}}\n"
    f"- {CONV}, batch_norm: {{momentum: 0.9}}, activation: 3}}\n"
    f"- {CONV}, batch_norm: {{position: none, momentum: 3, name: x, axes: 1}}}}\n"
    f"- {CONV}, activation: {{PReLU: {{shared_axis: 1}}}}}}",
    "depthwise": "- conv_block: {filters: 4, kernel_size: 3, convolution: DepthwiseConv2D}\n"
    "- conv_block: {kernel_size: 3}\n- conv_block: {filters: , kernel_size: 3}\n"
    f"- {CONV}, depth_multiplier: 2}}",
    "two dropouts": f"- {CONV}, dropout: 0.1, spatial_dropout: 0.1}}",
    "nested lists": "- residual: {layers: []}\n- residual: {layers: [{Dense: {units: 0}}]}\n"
    "- branches: {branches: [[Flatten]], merge: Conv2D}\n"
    "- branches: {branches: [[Flatten], [{Dropout: {rate: 2}}]], merge: {Dot: {axes: [1]}}}\n"
    "- repeat: {times: 0, layers: [Flatten]}\n- residual: {layers: [Flatten], shortcut: none}\n"
    "- residual: {layers: Flatten}",
    "a branch without layers": "- branches: {merge: Add, branches: [[], [Flatten]]}",
    "duplicate names": "- Dense: {units: 4, name: head}\n- Dense: {units: 4, name: head}\n"
    "- Flatten: {name: dense_3}\n- Dense: {units: 4}\n"
    "- residual: {layers: [{Flatten: {name: a}}, {Flatten: {name: a}}]}",
    "classifier not last": "- classifier\n- Flatten\n- residual: {layers: [classifier]}\n"
    "- classifier",
    "classifier values": "- classifier: {units: 10, activation: softmaxx}",
}

TRAIN = {
    "numbers": "epochs: 0\nbatch_size: 32.5\nthreads: 0\nsteps_per_execution: -1",
    "devices": "devices: two",
    "number of devices": "devices: 0",
    "what several devices cannot do": "devices: 2\nbatch_size: 1\nsteps_per_execution: 4\n"
    "loss: Dice\nstages:\n- {bottleneck: true}",
    "what all devices cannot do": "devices: all\nloss: {Tversky: {alpha: 0.3}}\n"
    "optimizer: {Adam: {gradient_accumulation_steps: 2}}\n"
    "stages:\n- optimizer: {SGD: {gradient_accumulation_steps: 3}}",
    "fused batch norm": "fused_batch_norm: {least_numbers: -1, channel_multiple: 0}",
    "precision": "precision: bfloat16",
    "optimizer": "optimizer: Adan",
    "optimizer without a name": "optimizer: {learning_rate: 0.1}",
    "optimizer arguments": "optimizer: {Adam: {lr: 0.1, beta_1: 2, clipnorm: 1, clipvalue: 1, "
    "gradient_accumulation_steps: 1, use_ema: yes, ema_momentum: 1.1}}",
    "learning rate": "optimizer: {SGD: {learning_rate: fast}}",
    "negative learning rate": "optimizer: {SGD: {learning_rate: -1}}",
    "schedule": "optimizer: {SGD: {learning_rate: {CosineDecay: {initial_learning_rate: -1}}}}",
    "pieces": "optimizer: {SGD: {learning_rate: {PiecewiseConstantDecay: "
    "{boundaries: [1, 2], values: [1, 2]}}}}",
    "epochs of a schedule": "optimizer: {SGD: {learning_rate: {CosineDecay: "
    "{initial_learning_rate: 1, decay_steps: 20epochs, warmup_steps: 2 steps}}}}",
    "no epochs": "optimizer: {SGD: {learning_rate: {CosineDecay: "
    "{initial_learning_rate: 1, decay_steps: 0 epochs, warmup_steps: {epochs: 1}}}}}",
    "units where there are none": "epochs: 3 epochs\nbatch_size: 0 images\n"
    "callbacks: [{ReduceLROnPlateau: {patience: 5 epochs}}]\noptimizer: {SGD: {learning_rate: "
    "{CosineDecay: {initial_learning_rate: 1, decay_steps: 100 steps}}}}",
    "boundaries in epochs": "optimizer: {SGD: {learning_rate: {PiecewiseConstantDecay: "
    "{boundaries: [1 epoch, later], values: [3, 2, 1]}}}}",
    "a single boundary": "optimizer: {SGD: {learning_rate: {PiecewiseConstantDecay: "
    "{boundaries: 1 epoch, values: 0.1}}}}",
    "falling boundaries": "optimizer: {SGD: {learning_rate: {PiecewiseConstantDecay: "
    "{boundaries: [2 epochs, 1 epoch, 5, 5], values: [5, 4, 3, 2, 1]}}}}",
    "falling boundaries in steps": "optimizer: {SGD: {learning_rate: {PiecewiseConstantDecay: "
    "{boundaries: [1 epoch, 50, 40.5], values: [4, 3, 2, -1]}}}}",
    "one cycle": "optimizer: {SGD: {learning_rate: {one_cycle: {max_lr: 0.1}}}}",
    "one cycle's arguments": "optimizer: {SGD: {learning_rate: {one_cycle: "
    "{maximum_learning_rate: 0.1, rising_share: 30, annealing: cos}}}}",
    "one cycle as Keras would call it": "optimizer: {SGD: {learning_rate: OneCycle}}",
    "warm-up": "optimizer: {SGD: {learning_rate: {warmup: {steps: 1 epoch}}}}",
    "endless warm-up": "epochs: 3\nstages:\n- optimizer: {SGD: {learning_rate: {warmup: "
    "{warmup_steps: 3 epochs, learning_rate: 1}}}}",
    "endless warm-up of Keras": "epochs: 3\noptimizer: {SGD: {learning_rate: {CosineDecay: "
    "{initial_learning_rate: 0, decay_steps: 9, warmup_target: 1, warmup_steps: 4.5 epochs}}}}",
    "parameter groups": "optimizer: AdamW\nparameter_groups: {weight_decay: [bias], "
    "learning_rates: {stem: 0}, first_layer: 10, layers: x}",
    "parameter groups as a list": "parameter_groups: [{layers: stem, learning_rate: 0.1}]",
    "no weight decay to choose": "optimizer: {Adam: {learning_rate: 0.1}}\n"
    "parameter_groups: {weight_decay: kernels}",
    "no weight decay by default": "parameter_groups: {weight_decay: kernels}",
    "refused optimizer": "optimizer: MultiOptimizer",
    "loss": "loss: crossentropy",
    "loss arguments": "loss: {CategoricalCrossentropy: {label_smooth: 0.1}}",
    "metrics": "metrics: accuracy",
    "metric names": "metrics: [acuracy, {TopKCategoricalAccuracy: {k: 0}}, Mean]",
    "callbacks": "callbacks:\n- EarlyStoping: {patience: 3}\n- LambdaCallback\n- ModelCheckpoint\n"
    "- EarlyStopping: {patience: -1}\n- ReduceLROnPlateau: {factor: 1}",
    "monitors": "metrics: [accuracy, {TopKCategoricalAccuracy: {k: 2}}]\n"
    "best: {monitor: val_acc}\ncallbacks:\n- EarlyStopping: {monitor: validation}\n"
    "- ReduceLROnPlateau: {monitor: top_k_categorical_accuracy}",
    "monitors of lists": "metrics: [F1Score, {Precision: {thresholds: [0.4, 0.6]}}]\n"
    "best: {monitor: val_f1_score}\ncallbacks:\n- EarlyStopping: {monitor: val_precision}",
    "best": "best: first",
    "best keys": "best: {metric: val_loss, mode: lowest}",
    "swap without ema": "callbacks: [SwapEMAWeights]",
    "class weight": "class_weight: equal",
    "class weights": "class_weight: {cat: -1, dog: heavy}",
    "no class weights": "class_weight: {}",
    "stages": "stages:\n- {epochs: 0, trainable: none}\n- {trainable: {from: flaten_1}}\n"
    "- {trainable: {layer: x}}\n- {optimizers: Adam}\n- all",
    "stage of an unknown layer": "stages: [{trainable: {from: flaten_1}}]",
    "unknown keys": "epoch: 3\nlearning_rate: 0.1",
    "list": "- epochs: 3",
}

SOURCES = {
    "no source": "image_size: [8, 8]",
    "a URL": "directory: s3://bucket/photos\nimage_size: [8, 8]",
    "two sources": "directory: a\narrays: b.npz\nimage_size: [8, 8]",
    "layouts": "directory: a\nimage_size: [8, 8]\n"
    'layout: ["{label}*", "{breed}/*", "a/b", "{label}/"]',
    "a layout as a map": "directory: a\nimage_size: [8, 8]\nlayout: {label}/*",
    "a layout of arrays": 'arrays: a.npz\nlayout: "{label}/*"',
    "exclude": 'directory: a\nimage_size: [8, 8]\nexclude: ["masks/", "{label}"]',
    "words": "directory: a\nimage_size: [8, 8]\nsplit: {train: [a, b], test: B, validation: []}",
    "files by split": "csv: {file: {train: a.csv, dev: b.csv}, split: s}\nimage_size: [8, 8]",
    "one-hot column": "csv: {file: a.csv, label: [a]}\nimage_size: [8, 8]",
    "validation of a layout": "directory: a\nimage_size: [8, 8]\nsplit: {validation: 0}\n"
    'layout: "{label}/*"',
    "no image size": "directory: a",
    "no image size for csv": "csv: {file: a.csv}",
    "image size": "directory: a\nimage_size: 64",
    "image sizes": "directory: a\nimage_size: [64, 0]",
    "three sizes": "directory: a\nimage_size: [64, 64, 3]",
    "path": "directory: 2024\nimage_size: [8, 8]",
    "empty path": "directory: ''\nimage_size: [8, 8]",
    "null in a path": 'directory: "a\\0b"\nimage_size: [8, 8]',
    "csv keys": "csv: {path: a, column: b}\nimage_size: [8, 8]",
    "value range": "arrays: {file: a.npz, value_range: [1, 0]}",
    "value range length": "arrays: {file: a.npz, value_range: 1}",
    "keras dataset": "keras_dataset: cifar",
    "choices": "keras_dataset: mnist\ncolor_mode: gray\non_bad_image: ignore\n"
    "resize: {interpolation: cubic, keep_aspect: 1}",
    "split": "keras_dataset: mnist\nsplit: {validation: 0.5, test: 0.5}",
    "split values": "keras_dataset: mnist\nsplit: {validation: 20%, test: 1, seed: -1}",
    "no validation": "keras_dataset: mnist\nsplit: {validation: 0}",
    "classes": "keras_dataset: mnist\nclasses: 1",
    "class list": "keras_dataset: mnist\nclasses: [a, b, a, ~]",
    "repeated class": "keras_dataset: mnist\nclasses: [a, b, a]",
    "one class": "keras_dataset: mnist\nclasses: [a]",
    "cache": "keras_dataset: mnist\ncache_memory_mb: 1GB",
    "bands": "directory: a\nimage_size: [8, 8]\nbands: [0, 1]",
    "repeated bands": "directory: a\nimage_size: [8, 8]\nbands: [4, 3, 4]",
    "bands and colours": "directory: a\nimage_size: [8, 8]\nbands: [4, 3]\ncolor_mode: rgb",
    "bands of arrays": "arrays: a.npz\nbands: [1]\nvalue_range: [0, 1]",
    "range of files": "directory: a\nimage_size: [8, 8]\nvalue_range: [4095, 0]",
    "megapixels": "directory: a\nimage_size: [8, 8]\nmegapixels_at_most: 0",
}

WHOLE = {
    "missing sections": "seed: 1\n",
    "missing layers": DATA + "model: {}\n",
    "empty layers": DATA + "model: {layers: []}\n",
    "layers as a map": DATA + "model: {layers: {Flatten: {}}}\n",
    "unknown sections": DATA + MODEL + "augmentation: {}\ntraining: {epochs: 3}\nmodle: 1\n",
    "later sections": DATA + MODEL + "extend: base.yaml\n",
    "seed": DATA + MODEL + "seed: -1\n",
    "preprocess": DATA + MODEL + "preprocess: {rescale: 1/255, rescal: 1}\n",
    "preprocess values": DATA + MODEL + "preprocess:\n  samplewise_center: yes\n  zca_epsilon: -1\n"
    "  preprocessing_function: mobilnet\n  rescale:\n  featurewise_center: 1\n",
    "augmentation in preprocess": DATA
    + MODEL
    + "preprocess: {rotation_range: 10, zoomrange: 0.1, horizontal-flip: true, "
    "validation_split: 0.1}",
    "augment": DATA
    + MODEL
    + """\
augment:
  rotation_range: -10
  brightness_range: 1.2
  shear_range: {degrees: 3}
  channel_shift_range: much
  fill_mode: mirror
  cval: black
  horizontal_flip: yes
  vertical_flip: 1
  interpolation_order: 6
  engine: opencv
  zoom_rang: 0.1
""",
    "augment ranges": DATA
    + MODEL
    + "augment: {brightness_range: [1.5, 0.5], zoom_range: [1.2, 0.8], fill_mode: constnat}\n",
    "augment pairs": DATA
    + MODEL
    + "augment: {brightness_range: [-1, 1], zoom_range: [0, 1, 2], interpolation_order: 1.0}\n",
    "augment zoom": DATA + MODEL + "augment: {zoom_range: 1.5, brightness_range: [0.5]}\n",
    "augment shifts": DATA + MODEL + "augment: {width_shift_range: -0.1, height_shift_range: -3}\n",
    "augment lists of shifts": DATA
    + MODEL
    + "augment: {width_shift_range: [], height_shift_range: [1, far], zoom_range: '0.2'}\n",
    "augment no map": DATA + MODEL + "augment: true\n",
    "preprocessing in augment": DATA
    + MODEL
    + "augment: {rescale: 0.1, zca_whitening: true, featurewise_centre: true, "
    "validation_split: 0.2, samplewise_std_normalisation: true}\n",
    "augmentation in data": with_data(
        "directory: images\nimage_size: [8, 8]\nrotation_range: 10\nhorizontal_flips: true\n"
        "rescale: 0.1\nvalidation_split: 0.2"
    ),
    "augmentation in no section": DATA + MODEL + "zoom_range: 0.1\nrescale: 2\nvertical_flip: 1\n",
    "preprocessing of colours": with_data("keras_dataset: mnist\ncolor_mode: grayscale")
    + "preprocess: {preprocessing_function: resnet50}\n",
    "images too large to whiten": with_data("directory: images\nimage_size: [64, 64]")
    + "preprocess: {zca_whitening: true}\n",
    "brightness of bands": with_data("directory: a\nimage_size: [8, 8]\nbands: [1, 2, 3, 8]")
    + "augment: {brightness_range: [0.5, 1.5]}\n",
    "preprocessing of bands": with_data("directory: a\nimage_size: [8, 8]\nbands: [1, 2, 3, 8]")
    + "preprocess: {preprocessing_function: resnet50}\n",
    "backbone on bands": "data: {directory: a, image_size: [64, 64], bands: [1, 2, 3, 8]}\n"
    "model: {backbone: {name: MobileNet}, layers: [GlobalAveragePooling2D, classifier]}\n",
    "blocks": with_layers(
        "- conv_block: {filters: 4, kernel_size: 3, spatial_dropout: 0.1}\n- classifier",
        blocks="{batch_norm: befor_activation, dropout: 0.5, kernel_size: 3}",
    ),
    "inherited dropout": with_layers(
        "- conv_block: {filters: 4, kernel_size: 3, spatial_dropout: 0.1}",
        blocks="{dropout: 0.5}",
    ),
    "weights of unknown classes": with_data("keras_dataset: mnist\nclasses: [cat, dog]")
    + "train: {class_weight: {cat: 1, dgo: 2}}\n",
    "all at once": "seed: x\ndata: {directory: a, color_mode: gray}\n"
    "model:\n  layers:\n    - Dense: {units: -1}\n    - Wavelet\n"
    "    - conv_block: {kernel_size: x}\n"
    "train:\n  epochs: 0\n  optimizer: {Adam: {lr: 1}}\n  best: {monitor: nothing}\n",
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(with_layers(LAYERS[name])) == snapshot


@pytest.mark.parametrize("name", TRAIN)
def test_train(name: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(with_train(TRAIN[name])) == snapshot


@pytest.mark.parametrize("name", SOURCES)
def test_data(name: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(with_data(SOURCES[name])) == snapshot


@pytest.mark.parametrize("name", WHOLE)
def test_whole(name: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(WHOLE[name]) == snapshot
