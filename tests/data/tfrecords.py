"""Writes TFRecord files for tests; test_tfrecord_files.py reads what TensorFlow wrote as well."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnrun.data import tfrecord_files


def write_records(path: str, records: list[Mapping[str, Any]]) -> Path:
    """Examples of bytes, whole numbers and decimals, or records as they are."""
    content = b""
    for features in records:
        example = tfrecord_files._example()()
        for name, value in features.items():
            feature = example.features.feature[name]
            values = value if isinstance(value, list) else [value]
            if isinstance(values[0], bytes):
                feature.bytes_list.value.extend(values)
            elif isinstance(values[0], int):
                feature.int64_list.value.extend(values)
            else:
                feature.float_list.value.extend(values)
        record = example.SerializeToString()
        content += len(record).to_bytes(8, "little") + bytes(4) + record + bytes(4)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content)
    return Path(path)
