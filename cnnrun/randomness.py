"""Random numbers that depend on names, not on the order in which they are asked for.

Every draw is a hash of (stream, seed, epoch, image id): no generator carries a state from one image
to the next, so neither batch size nor workers nor a resumed run can change what an image gets. The
hash is two rounds of splitmix64's finalizer (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014), keyed with BLAKE2b of everything that is not the image.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt


def random_bits(
    ids: npt.NDArray[np.uint64], *, seed: int, epoch: int, stream: str
) -> npt.NDArray[np.uint64]:
    """64 random bits for each id.

    Args:
        ids: `(images,)`, what `image_ids` makes of paths.
        seed: the run's or the split's seed.
        epoch: the epoch that the draw is for, from 0.
        stream: what is drawn, such as "order"; draws of different streams are independent.

    Returns:
        `(images,)`; different ids have different bits.
    """
    name = f"{stream}\0{seed}\0{epoch}".encode()
    first, second = np.frombuffer(blake2b(name, digest_size=16).digest(), dtype="<u8")
    bits = ids + np.uint64(first)
    _scramble(bits)
    bits ^= np.uint64(second)
    _scramble(bits)
    return bits


def uniform_numbers(
    ids: npt.NDArray[np.uint64], *, seed: int, epoch: int, stream: str
) -> npt.NDArray[np.float64]:
    """A number from 0 up to, not including, 1 for each id; see `random_bits`."""
    bits = random_bits(ids, seed=seed, epoch=epoch, stream=stream)
    bits >>= np.uint64(11)  # what is left fits the 53 bits of a float64
    return bits.astype(np.float64) * 2.0**-53


def _scramble(bits: npt.NDArray[np.uint64]) -> None:
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
