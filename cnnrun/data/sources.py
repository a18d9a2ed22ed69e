"""The one place that chooses how a data source is read."""

from cnnrun.config.data_section import DataSpec
from cnnrun.data.arrays import manifest_from_arrays, read_npz
from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.keras_classes import CLASSES
from cnnrun.data.manifest import Manifest
from cnnrun.data.refusal import shown


def read_manifest(data: DataSpec) -> Manifest:
    """The images that a config's `data` section names, listed but not decoded.

    Raises:
        DataError: the source is absent, unreadable, or not what `data` says.
    """
    if data.directory is not None:
        return manifest_from_directory(data.directory, classes=data.classes, partial=False)
    if data.csv is not None:
        return manifest_from_csv(
            data.csv.file,
            path_column=data.csv.path,
            label_column=data.csv.label,
            split_column=data.csv.split,
            group_column=data.csv.group,
            classes=data.classes,
        )
    if data.arrays is not None:
        return manifest_from_arrays(
            read_npz(data.arrays.file),
            place=shown(data.arrays.file),
            value_range=data.arrays.value_range,
            classes=data.classes,
        )
    return _keras_dataset(data)


def _keras_dataset(data: DataSpec) -> Manifest:
    # Imported here because it loads TensorFlow, which folders and files do not need.
    from cnnrun.data.keras_datasets import arrays_of_keras_dataset

    name = str(data.keras_dataset)
    classes = CLASSES[name] if data.classes is None else data.classes
    return manifest_from_arrays(
        arrays_of_keras_dataset(name),
        place=f"data.keras_dataset {name}",
        value_range=None,
        classes=classes,
    )
