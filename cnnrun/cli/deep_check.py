"""`cnnrun check-data --deep`: what a network's features tell of a config's images."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.feature_networks import FeatureSource, application_source, run_source
from cnnrun.cli.output import print_note
from cnnrun.cli.sources import run_or_application
from cnnrun.cli.terminal import waiting
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.data.check import DataReport, Look, report_on
from cnnrun.data.decoding import decoding_of
from cnnrun.data.image_facts import Said
from cnnrun.data.manifest import Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.errors import DownloadError
from cnnrun.evaluation.deep_check import Suspicions, deeper, features_of
from cnnrun.features.inference import one_thread_a_call
from cnnrun.features.label_check import ranked_doubts, ranked_labels
from cnnrun.features.sources import list_images
from cnnrun.features.two_samples import Apart, tell_apart
from cnnrun.runs.folder import RunFolder, looks_like_run, open_run, require_files
from cnnrun.training.fold_networks import FOLDS, FoldNetworks, train_on_folds

USUAL_NETWORK: Final = "MobileNet"
NO_WEIGHTS: Final = (
    "the weights of MobileNet are not at hand and cannot be downloaded: took the config's own "
    f"network, trained on {FOLDS} folds of the images, which tells less; --network names a run or "
    "another network"
)


def look_deeper(
    config: Config,
    look: Look,
    manifest: Manifest,
    *,
    said: Said,
    network: str | None,
    against: Path | None,
    quiet: bool,
) -> tuple[DataReport, Look, Apart | None]:
    """The report with what features tell, the look with the copies that they find.

    Args:
        config: the config that is checked.
        look: at its images.
        manifest: its images.
        said: what the config says already.
        network: a run, or a network of keras.applications; None for MobileNet, or where its weights
            cannot be had for the config's own network, trained on folds of the images.
        against: a run or a folder, for how far these images are from theirs; or None.
        quiet: whether nothing is said beside the results.

    Raises:
        CnnrunError: the network or the other images cannot be used.
    """
    one_thread_a_call()
    own = decoding_of(config.data)
    source, suspicions, unseen = _source(network), None, None
    if source is None:
        print_note(NO_WEIGHTS, quiet=quiet)
        with waiting(f"training the config's network on {FOLDS} folds", quiet=quiet):
            trained = train_on_folds(config)
        source, unseen = trained.source, trained.unseen
        suspicions = _suspicions(trained, manifest)
    with waiting(f"computing features of {len(manifest):,} images", quiet=quiet):
        features = features_of(source, manifest, own)
    look, found = deeper(look, manifest, features, suspicions=suspicions)
    report = report_on(look, manifest, said)
    report = replace(report, findings=(*report.findings, *found))
    if against is None:
        return report, look, None
    values = features.values
    if unseen is not None:  # of what it was trained on, a network makes something else
        values = values[np.isin(features.rows, unseen)]
    return report, look, tell_apart(values, _others(source, against, config))


def _suspicions(trained: FoldNetworks, manifest: Manifest) -> Suspicions:
    """The labels of which networks that did not see them think least."""
    labels = manifest.labels[trained.rows]
    if manifest.is_multi_label:
        return ranked_doubts(trained.probabilities, labels, trained.rows)
    classes = np.arange(len(manifest.classes), dtype=np.int32)
    return ranked_labels(trained.probabilities, labels.astype(np.int64), trained.rows, classes)


def _source(network: str | None) -> FeatureSource | None:
    """The network whose features are taken; None where none is named, and none is at hand."""
    opened = run_or_application(network or USUAL_NETWORK)
    if isinstance(opened, RunFolder):
        return run_source(opened)
    try:
        return application_source(
            opened, weights="imagenet", image_size=opened.default_size, include_top=False
        )
    except DownloadError:
        if network is not None:
            raise
        return None


def _others(source: FeatureSource, against: Path, config: Config) -> NDArray[np.float32]:
    """The features of the images that a run was trained on, or of a folder."""
    if not looks_like_run(against):
        (manifest,) = list_images([against]).manifests
        return features_of(source, manifest, decoding_of(config.data)).values
    run = open_run(against)
    require_files(run, run.resolved_yaml)
    data = load_config(run.resolved_yaml).data
    manifest = read_manifest(data)
    trained = cut_splits(manifest, data).train
    features = features_of(source, manifest, decoding_of(data))
    return features.values[np.isin(features.rows, trained)]
