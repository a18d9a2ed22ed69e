"""What a million photographs in tar files take: listing, hashing, the first batch, memory.

Run `python tests/benchmarks/measure_million.py [IMAGES [FOLDER]]`: 100,000 images unless told, and
FOLDER keeps the tar files (9 GB of a million) for the next time. The baseline is the standard
library's tarfile listing ten of them. That every image was decoded before is noted without doing
it: it takes long and is not measured.
"""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = 100_000
IMAGES_A_FILE = 10_000
DIFFERENT = 24
BYTES_AT_MOST = 8192

PROCESS = """
import json, os, resource, sys, time
from pathlib import Path
import numpy as np
from cnnrun.config.data_section import DataSpec
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.decoding import Decoding
from cnnrun.data.images import open_images
from cnnrun.data.order import epoch_order
from cnnrun.data.places import source_at
from cnnrun.data.sound_images import sound_images
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.runs.folder import HASHES

def phase(name, work):
    wall, processor = time.monotonic(), time.process_time()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    took = time.monotonic() - wall, time.process_time() - processor
    print(json.dumps([name, *(round(each, 1) for each in took), peak]), flush=True)
    return result

cache = Path(sys.argv[2])
data = source_at(Path(sys.argv[1]))
manifest = phase("manifest", lambda: read_manifest(data))
phase("hashes", lambda: content_hashes(manifest, notes_folder=cache / HASHES))
rows = np.arange(len(manifest))
decoding = Decoding((64, 64), "rgb", "bilinear", keep_aspect=False)
if sys.argv[3] == "first":
    sound_images(manifest, rows, decoding, cache).note()
    raise SystemExit

def first_batch():
    splits = cut_splits(manifest, data)
    store = open_images(manifest, rows, decoding, memory_bytes=2**28, on_bad_image="error",
                        cache_folder=cache)
    order = splits.train[epoch_order(manifest.ids[splits.train], seed=0, epoch=0)]
    store.read(order[:32])
    return store, order

store, order = phase("first batch", first_batch)
def batches(number):
    for start in range(32, 32 * number, 32):
        store.read(order[start : start + 32])
phase("100 batches", lambda: batches(100))
phase("400 batches", lambda: batches(400))
"""

TARFILE = """
import sys, tarfile, time
from pathlib import Path
began = time.process_time()
for file in sorted(Path(sys.argv[1]).glob("*.tar"))[:10]:
    with tarfile.open(file) as archive:
        for member in archive:
            pass
print(time.process_time() - began)
"""


def main() -> None:
    """Print a line for each phase: seconds, processor seconds, peak of memory so far in MiB."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(sys.argv[2] if len(sys.argv) > 2 else f"{folder}/shards")
        if not shards.is_dir():
            write_shards(shards, images)
        files = sorted(shards.glob("*.tar"))
        print(f"{len(files) * IMAGES_A_FILE:,} images in {len(files)} tar files")
        print(f"tarfile, {min(10, len(files))} files: {run(TARFILE, str(shards))[0]:.1f} s")
        for sitting in ("first", "again"):
            for line in run(PROCESS, str(shards), f"{folder}/cache", sitting):
                name, seconds, processor, peak = line
                print(f"{sitting:6} {name:12} {seconds:8} s {processor:8} s {peak:6} MiB")


def run(script: str, *arguments: str) -> list:
    """The lines that a process prints, each read as JSON."""
    command = [sys.executable, "-c", script, *arguments]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def write_shards(folder: Path, images: int) -> None:
    """Tar files of small photographs with their classes, in WebDataset's layout."""
    folder.mkdir(parents=True)
    contents = [jpeg(seed) for seed in range(DIFFERENT)]
    for start in range(0, images, IMAGES_A_FILE):
        with (folder / f"photos-{start // IMAGES_A_FILE:04d}.tar").open("wb") as file:
            for number in range(start, start + IMAGES_A_FILE):
                file.write(member(f"{number:07d}.jpg", contents[number % DIFFERENT]))
                file.write(member(f"{number:07d}.cls", str(number % DIFFERENT % 10).encode()))
            file.write(bytes(2 * tarfile.BLOCKSIZE))


def member(name: str, content: bytes) -> bytes:
    """A file as it stands in a tar file."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    padding = bytes(-len(content) % tarfile.BLOCKSIZE)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + padding


def jpeg(seed: int) -> bytes:
    """A picture of 160 x 120 in about 8 KB."""
    generator = np.random.default_rng(seed)
    blobs = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(blobs.resize((160, 120), Image.Resampling.BICUBIC)).astype(int)
    noisy = (smooth + generator.integers(-20, 21, smooth.shape)).clip(0, 255).astype(np.uint8)
    for quality in range(95, 20, -3):
        stream = io.BytesIO()
        Image.fromarray(noisy).save(stream, "JPEG", quality=quality)
        if stream.tell() <= BYTES_AT_MOST:
            break
    return stream.getvalue()


if __name__ == "__main__":
    main()
