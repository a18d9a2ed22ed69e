"""From a config's `preprocess` to the values that the model's first layers hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.preprocess_section import PreprocessSpec
from cnnrun.config.repeated_standardization import standardized_twice
from cnnrun.config.sections import Config
from cnnrun.data.images import ImageStore
from cnnrun.data.statistics import FittedStatistics, fit_statistics, refuse_large_whitening
from cnnrun.models.preprocessing import Preprocessing, saved_statistics
from cnnrun.models.saved import load_model
from cnnrun.runs.events import Note, NoteListener
from cnnrun.runs.folder import open_run, require_files
from cnnrun.runs.made_by import load_resolved
from cnnrun.wording import counted


def preprocess_of(config: Config) -> PreprocessSpec:
    """What happens to pixels: the config's `preprocess`, or if it says nothing the backbone's own.

    That is `preprocess_input` for a network of keras.applications, and for an earlier run what
    its network standardizes with.

    Raises:
        RunError: there is no such run.
        ConfigError: its config cannot be read.
    """
    backbone = config.model.backbone
    if backbone is None or config.preprocess != PreprocessSpec():
        return config.preprocess
    if backbone.name is None:
        run = open_run(Path(backbone.weights))
        return resolve_preprocessing(preprocess_of(load_resolved(run)))
    function = APPLICATIONS[backbone.name].module
    return PreprocessSpec(preprocessing_function=function, rescale=0.0)


def inherited_preprocessing(config: Config) -> Preprocessing | None:
    """The backbone's preprocessing with the statistics that an earlier run fitted, if it has any.

    Raises:
        RunError: there is no such run, or it has no model.
        ConfigError: its config cannot be read.
        ModelFileError: its model cannot be used.
    """
    backbone, spec = config.model.backbone, preprocess_of(config)
    if backbone is None or spec == config.preprocess or not needs_statistics(spec):
        return None
    run = open_run(Path(backbone.weights))
    require_files(run, run.model_keras)
    mean, deviation, matrix = saved_statistics(load_model(run.model_keras))
    return replace(_preprocessing(spec, None), mean=mean, std=deviation, zca_matrix=matrix)


def written_preprocess(config: Config) -> PreprocessSpec:
    """What resolved.yaml says: every choice, but an earlier run's statistics by silence alone."""
    if inherited_preprocessing(config) is not None:
        return config.preprocess
    return resolve_preprocessing(preprocess_of(config))


def resolve_preprocessing(spec: PreprocessSpec) -> PreprocessSpec:
    """What `preprocess` comes to: a number for `rescale`, and what one key implies of another.

    Dividing by a deviation centres as well; ZCA centres each channel, and replaces the division.
    So ImageDataGenerator has it, which warns of each.
    """
    divides = spec.featurewise_std_normalization
    return replace(
        spec,
        rescale=spec.factor,
        samplewise_center=spec.samplewise_center or spec.samplewise_std_normalization,
        featurewise_center=spec.featurewise_center or divides or spec.zca_whitening,
        featurewise_std_normalization=divides and not spec.zca_whitening,
    )


def needs_statistics(spec: PreprocessSpec) -> bool:
    """Whether something has to be fitted to the training images."""
    return resolve_preprocessing(spec).featurewise_center


def unfitted_preprocessing(config: Config, shape: tuple[int, int, int]) -> Preprocessing:
    """The preprocessing of images that are not at hand: its layers, with a mean of 0 and so on.

    Args:
        config: a checked config.
        shape: (height, width, channels) of the images.

    Raises:
        ConfigError: the images are too large for ZCA.
        InputError: an earlier run cannot be used.
    """
    if inherited := inherited_preprocessing(config):
        return inherited
    spec = preprocess_of(config)
    features, channels = int(np.prod(shape)), shape[-1]
    if spec.zca_whitening:
        refuse_large_whitening(shape)
    statistics = FittedStatistics(
        images=0,
        mean=np.zeros(channels),
        std=np.ones(channels),
        zca_matrix=np.eye(features) if spec.zca_whitening else None,
    )
    return _preprocessing(resolve_preprocessing(spec), statistics)


def fit_preprocessing(
    config: Config, store: ImageStore, rows: np.ndarray, *, threads: int, listener: NoteListener
) -> Preprocessing:
    """The preprocessing, with statistics of the training images where it needs any.

    Those that an earlier run fitted come with it.

    Args:
        config: a checked config.
        store: the decoded images.
        rows: rows of the manifest that train, `(images,)`.
        threads: of the matrix products and the eigenvalues, whose last bits depend on it.
        listener: hears what follows from the config without standing in it.

    Raises:
        ConfigError: the images are too large for ZCA.
        DataError: an image cannot be read.
        InputError: an earlier run cannot be used.
    """
    if twice := standardized_twice(config):
        listener(Note(twice))
    if inherited := inherited_preprocessing(config):
        return inherited
    spec = preprocess_of(config)
    resolved = resolve_preprocessing(spec)
    for note in preprocessing_notes(spec):
        listener(Note(note))
    if not needs_statistics(spec):
        return _preprocessing(resolved, None)
    images = counted(len(rows), "training image")
    listener(Note(f"preprocess: fitting {_fitted_parts(resolved)} to {images}"))
    with threadpool_limits(limits=threads, user_api="blas"):
        statistics = fit_statistics(
            store,
            rows,
            rescale=float(resolved.rescale),
            zca_epsilon=spec.zca_epsilon if spec.zca_whitening else None,
        )
    return _preprocessing(resolved, statistics)


def preprocessing_notes(spec: PreprocessSpec) -> tuple[str, ...]:
    """What a user of these keys would hardly expect, though ImageDataGenerator does the same."""
    resolved = resolve_preprocessing(spec)
    divides, whitens = spec.featurewise_std_normalization, spec.zca_whitening
    comes_before = [
        key
        for key, is_on in (
            ("preprocessing_function", spec.preprocessing_function is not None),
            ("samplewise_center", resolved.samplewise_center),
        )
        if is_on
    ]
    notes = []
    if spec.samplewise_std_normalization and not spec.samplewise_center:
        notes.append("samplewise_std_normalization centres each image as well")
    if divides and not whitens and not spec.featurewise_center:
        notes.append("featurewise_std_normalization centres the channels as well")
    if whitens and not spec.featurewise_center:
        notes.append("zca_whitening centres the channels as well")
    if whitens and divides:
        notes.append("zca_whitening takes the place of featurewise_std_normalization")
    if resolved.featurewise_center and comes_before:
        notes.append(
            f"the training images' statistics are those before {' and '.join(comes_before)}"
        )
    return tuple(f"preprocess: {note}, as in ImageDataGenerator" for note in notes)


def _fitted_parts(resolved: PreprocessSpec) -> str:
    if resolved.zca_whitening:
        return "mean and ZCA"
    return "mean and standard deviation" if resolved.featurewise_std_normalization else "mean"


def _preprocessing(resolved: PreprocessSpec, statistics: FittedStatistics | None) -> Preprocessing:
    centers = statistics is not None and resolved.featurewise_center
    divides = statistics is not None and resolved.featurewise_std_normalization
    return Preprocessing(
        function=resolved.preprocessing_function,
        rescale=float(resolved.rescale),
        samplewise_center=resolved.samplewise_center,
        samplewise_std_normalization=resolved.samplewise_std_normalization,
        mean=statistics.mean if statistics and centers else None,
        std=statistics.std if statistics and divides else None,
        zca_matrix=statistics.zca_matrix if statistics else None,
    )
