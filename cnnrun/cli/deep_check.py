"""`cnnrun check-data --deep`: what a network's features tell of a config's images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.feature_networks import FeatureSource, application_source, run_source
from cnnrun.cli.sources import run_or_application
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.data.check import DataReport, Look, report_on
from cnnrun.data.decoding import decoding_of
from cnnrun.data.image_facts import Said
from cnnrun.data.manifest import Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.evaluation.deep_check import deeper, features_of
from cnnrun.features.inference import one_thread_a_call
from cnnrun.features.sources import list_images
from cnnrun.features.two_samples import Apart, tell_apart
from cnnrun.runs.folder import RunFolder, looks_like_run, open_run, require_files


def look_deeper(
    config: Config,
    look: Look,
    manifest: Manifest,
    *,
    said: Said,
    network: str,
    against: Path | None,
) -> tuple[DataReport, Look, Apart | None]:
    """The report with what features tell, the look with the copies that they find.

    Args:
        config: the config that is checked.
        look: at its images.
        manifest: its images.
        said: what the config says already.
        network: a run, or a network of keras.applications.
        against: a run or a folder, for how far these images are from theirs; or None.

    Raises:
        CnnrunError: the network or the other images cannot be used.
    """
    one_thread_a_call()
    source = _source(network)
    own = decoding_of(config.data)
    features = features_of(source, manifest, own)
    look, found = deeper(look, manifest, features)
    report = report_on(look, manifest, said)
    report = replace(report, findings=(*report.findings, *found))
    if against is None:
        return report, look, None
    return report, look, tell_apart(features.values, _others(source, against, config))


def _source(network: str) -> FeatureSource:
    opened = run_or_application(network)
    if isinstance(opened, RunFolder):
        return run_source(opened)
    return application_source(
        opened, weights="imagenet", image_size=opened.default_size, include_top=False
    )


def _others(source: FeatureSource, against: Path, config: Config) -> NDArray[np.float32]:
    """The features of the images that a run was trained on, or of a folder."""
    if not looks_like_run(against):
        (manifest,) = list_images([against]).manifests
        return features_of(source, manifest, decoding_of(config.data)).values
    run = open_run(against)
    require_files(run, run.resolved_yaml)
    data = load_config(run.resolved_yaml).data
    manifest = read_manifest(data)
    trained = cut_splits(manifest, data.split).train
    features = features_of(source, manifest, decoding_of(data))
    return features.values[np.isin(features.rows, trained)]
