"""predict.py, which goes with an exported network: what cnnrun's decoder does, in Pillow alone.

Only what the run's images can need is written into it, so that it is short enough to be read.
"""

from typing import Final

from cnnrun.data.decode import FORMATS
from cnnrun.data.decoding import MODES
from cnnrun.export.formats import Format
from cnnrun.export.image_rule import ImageRule

SCRIPT: Final = '''\
"""What images show, by the network beside this file: `python predict.py IMAGE...`.

With `--json`, a line an image with the probability of every class.
Needs {packages}.
"""

{io}import json
import sys
from pathlib import Path

import numpy as np
{pillow}{opening_import}
HERE = Path(__file__).resolve().parent
FILE = "{file}"
CLASSES = json.loads((HERE / "classes.json").read_text(encoding="utf-8"))
{opening_rest}

{pixels}

def main(names):
    for name in (name for name in names if name != "--json"):
        try:
            found = dict(zip(CLASSES, infer(pixels(name))[0].tolist()))
        except Exception as error:
            sys.exit(f"{{name}}: cannot be read: {{error}}")
        if "--json" in names:
            print(json.dumps({{"image": name, "probabilities": found}}))
            continue
        for label in sorted(CLASSES, key=found.get, reverse=True)[:3]:
            shown = json.dumps(label, ensure_ascii=False)[1:-1]
            print(name, shown, f"{{found[label]:.4f}}", sep="\\t")


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
'''

_OPEN: Final = '''\
def orientation(image):
    """How EXIF says that an image should be seen."""
    try:
        return image.getexif().get(0x0112)
    except Exception:
        return None


def pixels(path):
    """An image as the network takes it, (1, {height}, {width}, {channels}): upright, 0 to 255."""
    Image.init()
    formats = {{{formats}}}
    file = io.BytesIO(Path(path).read_bytes())
    image = Image.open(file, formats=sorted(formats & Image.OPEN.keys()))
    if image.width * image.height > {megapixels:g} * 1e6:
        raise ValueError("more than {megapixels:g} megapixels")
    kind, tags = image.format, getattr(image, "tag_v2", {{}})
    bits, samples, planes = tags.get(258, (1,)), tags.get(277, 1), tags.get(284) == 2
    if kind == "TIFF" and (max(bits) > 8 or samples > 4 or planes):
        raise ValueError("a TIFF that needs more than Pillow: bands, planes or more than 8 bits")
{deep}{shrink}    image.load()
    turn = {{2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}}.get(orientation(image))
    image = image if turn is None else image.transpose(Image.Transpose(turn))
'''
_PLAIN: Final = """\
    if image.mode == "F" or (image.mode == "I" and kind not in ("PNG", "PPM")):
        raise ValueError("values of more than 16 bits, of which none is known to be white")
    if image.mode.startswith("I"):
        grey = (np.clip(np.asarray(image).astype(np.int64), 0, 65535) + 128) // 257
        image = Image.fromarray(grey.astype(np.uint8))
"""
_ON_WHITE: Final = """\
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
"""
_RESIZED: Final = """\
    image = image if image.mode == "{mode}" else image.convert("{mode}")
    if image.size != ({width}, {height}):
{box}        image = image.resize(({width}, {height}), Image.Resampling.{resampling}{box_argument})
    return np.asarray(image, np.float32).reshape(1, {height}, {width}, {channels})
"""
_BOX: Final = """\
        width = max(1, min(image.width, image.height * {width} // {height}))
        height = max(1, min(image.height, image.width * {height} // {width}))
        left, top = (image.width - width) // 2, (image.height - height) // 2
"""
_SHRINK: Final = """\
    whole, box = None, None
    if kind in ("JPEG", "MPO"):  # large ones are decoded smaller, where twice the size remains
        seen = orientation(image)
        way = -1 if seen in (5, 6, 7, 8) else 1
        whole = image.size[::way]
        is_large = whole[0] >= {four_widths} and whole[1] >= {four_heights}
        drafted = image.draft(None, ({two_widths}, {two_heights})[::way]) if is_large else None
        if drafted is not None:
            decoded, covered = image.size[::way], drafted[1][2:][::way]
            left = decoded[0] - covered[0] if seen in (2, 3, 6, 7) else 0
            top = decoded[1] - covered[1] if seen in (3, 4, 7, 8) else 0
            box = (left, top, left + covered[0], top + covered[1])
"""
_WHOLE_BOX: Final = """\
        whole, box = (whole, box) if box else (image.size, (0, 0, *image.size))
"""
_PLACED_BOX: Final = """\
        width = max(1, min(whole[0], whole[1] * {width} // {height}))
        height = max(1, min(whole[1], whole[0] * {height} // {width}))
        left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
        across, down = (box[2] - box[0]) / whole[0], (box[3] - box[1]) / whole[1]
        sides = (left * across, top * down, (left + width) * across, (top + height) * down)
        box = (box[0] + sides[0], box[1] + sides[1], box[0] + sides[2], box[1] + sides[3])
"""
_DEEP: Final = """\
    if len(image.getbands()) > 1 and any(";16" in str(tile[3]) for tile in image.tile):
        raise ValueError("colours of 16 bits, which need more than Pillow")
"""
_RANGED: Final = """\
    if image.mode in ("P", "PA", "CMYK", "YCbCr", "LAB") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("1", "LA"):
        image = image.convert("L" if image.mode == "1" else "RGBA")
    values = np.asarray(image)
    values = values[..., np.newaxis] if values.ndim == 2 else values
    if values.dtype == np.uint8 and {high!r} > 255:
        raise ValueError("8 bits, where values up to {high:g} are meant")
    values = np.clip(values.astype(np.float32), {low!r}, {high!r})
    return in_size(values, {low!r}, {high!r})


"""
_ARRAYS: Final = '''\
def pixels(path):
    """An image in a .npy file, (height, width{channels_comment}), as the network takes it."""
    values = np.load(path, allow_pickle=False)
    values = values[..., np.newaxis] if values.ndim == 2 else values
    return in_size(values, {low!r}, {high!r})


'''
_IN_SIZE: Final = '''\
def in_size(values, low, high):
    """Values, low for black and high for white, as (1, {height}, {width}, {channels})."""
{scaled}{colours}    if values.shape[2] != {channels}:
        raise ValueError(f"{{values.shape[2]}} numbers a pixel, where {channels} are meant")
    if values.shape[:2] != ({height}, {width}):
        image = Image.fromarray(values[..., 0])
{box}        planes = (np.ascontiguousarray(values[..., each]) for each in range({channels}))
        resized = (
            Image.fromarray(each).resize(
                ({width}, {height}), Image.Resampling.{resampling}{box_argument}
            )
            for each in planes
        )
        values = np.stack([np.asarray(each) for each in resized], axis=-1)
    return values[np.newaxis].astype(np.float32)
'''
_SCALED: Final = (
    "    values = ((values.astype(np.float32) - low) * (255 / (high - low))).astype(np.float32)\n"
)
_COLOURS: Final = """\
    if values.shape[2] != {channels}:
        values = np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values
        opacity = values[..., 3:] / 255 if values.shape[2] == 4 else 1
        values = values[..., :3] * opacity + 255 * (1 - opacity)
{last}{whole}"""
_TO_GREY: Final = (
    "        values = (values @ np.array([0.299, 0.587, 0.114], np.float32))[..., np.newaxis]\n"
)
_TO_RGBA: Final = (
    "        values = np.concatenate([values, np.full_like(values[..., :1], 255)], axis=2)\n"
)
_WHOLE: Final = "        values = np.rint(values).astype(np.uint8)\n"
_BANDS: Final = '''\
def pixels(path):
    """Refuses image files: Pillow cannot read what this network takes."""
    raise ValueError(
        "the network takes the bands {bands} of files that need more than Pillow: give `infer` an "
        "array (1, {height}, {width}, {channels}) of float32, 0 to 255"
    )
'''


def predict_script(form: Format, file: str, rule: ImageRule) -> str:
    """The text of predict.py.

    Args:
        form: whose runtime it uses.
        file: the name of the network's file.
        rule: how images become pixels.
    """
    opening_import, _, opening_rest = form.opening.partition("\n\n")
    text = SCRIPT.format(
        packages=", ".join(
            [
                "numpy",
                *(["Pillow"] if not rule.decoding.bands else []),
                form.runtime.replace("_", "-"),
            ]
        ),
        pillow="" if rule.decoding.bands else "from PIL import Image\n",
        io="" if rule.of_arrays or rule.decoding.bands else "import io\n",
        opening_import=opening_import + "\n",
        file=file,
        opening_rest=opening_rest,
        pixels=_pixels(rule),
    )
    limit = "" if rule.of_arrays or rule.decoding.bands else _NO_LIMIT
    return text.replace("CLASSES = ", f"{limit}CLASSES = ", 1)


_NO_LIMIT: Final = "Image.MAX_IMAGE_PIXELS = None  # `pixels` has a limit of its own\n"


def _pixels(rule: ImageRule) -> str:
    decoding = rule.decoding
    (height, width), channels = rule.image_size, rule.channels
    values = {
        "height": height,
        "width": width,
        "channels": channels,
        "resampling": decoding.interpolation.upper(),
        "box": _BOX.format(height=height, width=width) if decoding.keep_aspect else "",
        "box_argument": ", box=(left, top, left + width, top + height)"
        if decoding.keep_aspect
        else "",
    }
    if decoding.bands:
        return _BANDS.format(**values, bands=list(decoding.bands))
    if rule.of_arrays:
        low, high = rule.array_range or (0.0, 255.0)
        comment = f", {channels}" if channels > 1 else ""
        return _ARRAYS.format(low=low, high=high, channels_comment=comment) + _IN_SIZE.format(
            **values,
            scaled=_SCALED if rule.array_range else "",
            colours=_colours(decoding.color_mode, channels, whole=rule.array_range is None),
        )
    opened = _OPEN.format(
        **values,
        formats=", ".join(f'"{each}"' for each in FORMATS),
        megapixels=decoding.megapixels_at_most,
        deep=_DEEP if decoding.value_range else "",
        shrink=_SHRINK.format(
            four_widths=4 * width,
            four_heights=4 * height,
            two_widths=2 * width,
            two_heights=2 * height,
        )
        if decoding.shrinks
        else "",
    )
    if decoding.value_range is not None:
        low, high = decoding.value_range
        return (
            opened
            + _RANGED.format(low=low, high=high)
            + _IN_SIZE.format(
                **values,
                scaled=_SCALED,
                colours=_colours(decoding.color_mode or "rgb", channels, whole=False),
            )
        )
    mode = MODES[decoding.color_mode or "rgb"]
    on_white = "" if mode == "RGBA" else _ON_WHITE
    if decoding.shrinks:
        placed = _PLACED_BOX.format(**values) if decoding.keep_aspect else ""
        values |= {"box": _WHOLE_BOX + placed, "box_argument": ", box=box"}
    return opened + _PLAIN + on_white + _RESIZED.format(**values, mode=mode)


def _colours(color_mode: str | None, channels: int, *, whole: bool) -> str:
    if color_mode is None:
        return ""
    last = {"grayscale": _TO_GREY, "rgba": _TO_RGBA}.get(color_mode, "")
    return _COLOURS.format(channels=channels, last=last, whole=_WHOLE if whole else "")
