"""An image brought to another size, as Keras's load_img does it."""

from types import MappingProxyType

from PIL import Image

from cnnrun.data.shrinking import Shrunk

RESAMPLING = MappingProxyType(
    {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
        "box": Image.Resampling.BOX,
        "hamming": Image.Resampling.HAMMING,
    }
)


def resized(
    image: Image.Image,
    image_size: tuple[int, int],
    *,
    interpolation: str,
    keep_aspect: bool,
    shrunk: Shrunk | None = None,
) -> Image.Image:
    """The image brought to (height, width), as Keras's load_img does it.

    Args:
        image: the image, upright.
        image_size: (height, width) of the result.
        interpolation: a key of `RESAMPLING`.
        keep_aspect: whether the largest centred part with the wanted aspect is taken, else all.
        shrunk: what the image was, where it was decoded smaller than it is in its file.
    """
    height, width = image_size
    if image.size == (width, height):
        return image
    whole = shrunk or Shrunk(image.size, box=(0, 0, *image.size))
    box = whole.box
    if keep_aspect:
        box = whole.place(_centre_box(whole.size, (width, height)))
    return image.resize((width, height), RESAMPLING[interpolation], box=box)


def _centre_box(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest centred (left, top, right, bottom) with the wanted aspect, as Keras rounds it."""
    width, height = size
    crop_width = max(1, min(width, height * wanted[0] // wanted[1]))
    crop_height = max(1, min(height, width * wanted[1] // wanted[0]))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height
