"""predict.py, which goes with an exported network: what cnnrun's decoder does, in Pillow alone.

Only what the run's images can need is written into it, so that it is short enough to be read.
"""

from textwrap import indent
from typing import Final

from cnnrun.data.decode import FORMATS
from cnnrun.data.decoding import MODES
from cnnrun.export.formats import Format
from cnnrun.export.image_rule import ImageRule
from cnnrun.wording import listed

SCRIPT: Final = '''\
"""What images show: `python predict.py IMAGE...`; `--json` tells all probabilities.

Needs {packages}.
For other programs: `from predict import infer, pixels`.
"""

import json
import sys
from pathlib import Path

import numpy as np
{imports}

HERE = Path(__file__).resolve().parent
FILE = "{file}"
CLASSES = json.loads((HERE / "classes.json").read_text(encoding="utf-8"))
{thresholds}{opening_rest}

{pixels}

if __name__ == "__main__":
    for name in [each for each in sys.argv[1:] if each != "--json"] or sys.exit(__doc__):
        try:
            with open(name, "rb") as file:
                found = dict(zip(CLASSES, infer(pixels(file))[0].tolist()))
        except Exception as error:
            sys.exit(f"{{name}}: cannot be read: {{error}}")
{told}'''

_CLASS: Final = """\
        if "--json" in sys.argv:
            print(json.dumps({"image": name, "probabilities": found}))
            continue
        for label in sorted(found, key=found.get, reverse=True)[:3]:
            shown = json.dumps(label, ensure_ascii=False)[1:-1]
            print(name, shown, f"{found[label]:.4f}", sep="\\t")
"""
_THRESHOLDS: Final = (
    'THRESHOLDS = json.loads((HERE / "thresholds.json").read_text(encoding="utf-8"))\n'
)
_LABELS: Final = """\
        said = [label for label in CLASSES if found[label] >= THRESHOLDS[label]]
        if "--json" in sys.argv:
            print(json.dumps({"image": name, "labels": said, "probabilities": found}))
            continue
        for label in sorted(said, key=found.get, reverse=True):
            shown = json.dumps(label, ensure_ascii=False)[1:-1]
            print(name, shown, f"{found[label]:.4f}", sep="\\t")
        if not said:
            print(name, "(none of the labels)", sep="\\t")
"""

_OPEN: Final = '''\
def orientation(image):
    """How EXIF says that an image should be seen, 1 to 8; 1 where EXIF is damaged."""
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:
        return 1


def pixels(file):
    """The image in an open file, upright: (1, {height}, {width}, {channels}), from 0 to 255."""
    Image.MAX_IMAGE_PIXELS = None
    image = Image.open(file, formats="{formats}".split())
    if image.width * image.height > {megapixels:g} * 1e6:
        raise ValueError("more than {megapixels:g} megapixels")
    tags = getattr(image, "tag_v2", {{}})
    bits, kind, extra = max(tags.get(258, (8,))), tags.get(339, (1,))[0], tags.get(338, ())
    if {deep} or bits > 8 or kind > 1 or extra not in ((), (1,), (2,)):
        raise ValueError("more than 8 bits, a sign or many bands, which need more than Pillow")
{shrink}    image.load()
    turn = {{2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}}.get(orientation(image))
    image = image if turn is None else image.transpose(Image.Transpose(turn))
'''
_DEEP_COLOURS: Final = 'len(image.getbands()) > 1 and ";16" in str(image.tile)'
_PLAIN: Final = """\
    if image.mode.startswith("I"):  # grey of 16 bits
        grey = (np.asarray(image).astype(np.int64).clip(0, 65535) + 128) // 257
        image = Image.fromarray(grey.astype(np.uint8))
"""
_ON_WHITE: Final = """\
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
"""
_RESIZED: Final = """\
    image = image.convert("{mode}").resize(({width}, {height}), Image.Resampling.{resampling}{box})
    return np.asarray(image, np.float32).reshape(1, {height}, {width}, {channels})
"""
_CENTRE: Final = """\
across = max(1, min(whole[0], whole[1] * {width} // {height}))
down = max(1, min(whole[1], whole[0] * {height} // {width}))
left, top = (whole[0] - across) // 2, (whole[1] - down) // 2
"""
_CENTRE_BOX: Final = "box = (left, top, left + across, top + down)\n"
_SHRINK: Final = """\
    seen = orientation(image)
    way = -1 if seen in (5, 6, 7, 8) else 1
    whole, part = image.size[::way], None
    if image.format in ("JPEG", "MPO") and whole[0] >= {four_widths} and whole[1] >= {four_heights}:
        drafted = image.draft(None, ({two_widths}, {two_heights})[::way])
        part = drafted and drafted[1][2:][::way]
"""
_SHRUNK: Final = """\
    width, height = part or image.size  # what a JPEG fills that is decoded smaller
    x = image.width - width if seen in (2, 3, 6, 7) else 0
    y = image.height - height if seen in (3, 4, 7, 8) else 0
"""
_SHRUNK_BOX: Final = "    box = (x, y, x + width, y + height)\n"
_CENTRE_OF_SHRUNK: Final = """\
    x_scale, y_scale = width / whole[0], height / whole[1]
    start = (x + left * x_scale, y + top * y_scale)
    box = (*start, x + (left + across) * x_scale, y + (top + down) * y_scale)
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
def pixels(file):
    """The image in an open .npy file, which is (height, width{channels_comment})."""
    values = np.load(file, allow_pickle=False)
    values = values[..., np.newaxis] if values.ndim == 2 else values
    return in_size(values, {low!r}, {high!r})


'''
_IN_SIZE: Final = '''\
def in_size(values, low, high):
    """Values, low for black and high for white, as (1, {height}, {width}, {channels})."""
{scaled}{colours}    if values.shape[2] != {channels}:
        raise ValueError(f"{{values.shape[2]}} numbers a pixel, where {channels} are meant")
    if values.shape[:2] != ({height}, {width}):
{box}        planes = (np.ascontiguousarray(values[..., each]) for each in range({channels}))
        size, how = ({width}, {height}), Image.Resampling.{resampling}
        sized = [Image.fromarray(each).resize(size, how{box_argument}) for each in planes]
        values = np.stack([np.asarray(each) for each in sized], axis=2)
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
def pixels(file):
    """Refuses image files: Pillow cannot read what this network takes."""
    raise ValueError(
        "the network takes the bands {bands} of files that need more than Pillow: give `infer` an "
        "array (1, {height}, {width}, {channels}) of float32, 0 to 255"
    )
'''


def predict_script(form: Format, file: str, rule: ImageRule, *, is_multi_label: bool) -> str:
    """The text of predict.py.

    Args:
        form: whose runtime it uses.
        file: the name of the network's file.
        rule: how images become pixels.
        is_multi_label: whether an image has the labels whose thresholds are reached, not one class.
    """
    opening_import, _, opening_rest = form.opening.partition("\n\n")
    with_pillow = not rule.decoding.bands
    packages = ["numpy", *["Pillow from 11.3 on"] * with_pillow, form.runtime.replace("_", "-")]
    return SCRIPT.format(
        packages=listed(packages),
        imports="\n".join([opening_import, *["from PIL import Image"] * with_pillow]),
        file=file,
        opening_rest=opening_rest,
        thresholds=_THRESHOLDS if is_multi_label else "",
        told=_LABELS if is_multi_label else _CLASS,
        pixels=_pixels(rule),
    )


def _pixels(rule: ImageRule) -> str:
    decoding = rule.decoding
    (height, width), channels = rule.image_size, rule.channels
    size = {"height": height, "width": width, "channels": channels}
    if decoding.bands:
        return _BANDS.format(**size, bands=list(decoding.bands))
    if rule.of_arrays:
        low, high = rule.array_range or (0.0, 255.0)
        comment = f", {channels}" if channels > 1 else ""
        read = _ARRAYS.format(low=low, high=high, channels_comment=comment)
        whole = rule.array_range is None
        return read + _in_size(
            rule,
            scaled=not whole,
            colours=_colours(decoding.color_mode, channels, whole=whole),
        )
    opened = _OPEN.format(
        **size,
        formats=" ".join(FORMATS),
        megapixels=decoding.megapixels_at_most,
        deep=_DEEP_COLOURS if decoding.value_range else 'image.mode == "F"',
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
        colours = _colours(decoding.color_mode or "rgb", channels, whole=False)
        return (
            opened
            + _RANGED.format(low=low, high=high)
            + _in_size(rule, scaled=True, colours=colours)
        )
    mode = MODES[decoding.color_mode or "rgb"]
    box = _box(rule)
    resized = _RESIZED.format(
        **size,
        mode=mode,
        resampling=decoding.interpolation.upper(),
        box=", box=box" if box else "",
    )
    return opened + _PLAIN + ("" if mode == "RGBA" else _ON_WHITE) + box + resized


def _box(rule: ImageRule) -> str:
    """The lines that say which part of an image is resized; none where all of it is."""
    shrinks, keeps_aspect = rule.decoding.shrinks, rule.decoding.keep_aspect
    if not keeps_aspect:
        return _SHRUNK + _SHRUNK_BOX if shrinks else ""
    centre = indent(_centre(rule), "    ")
    if not shrinks:
        return "    whole = image.size\n" + centre + f"    {_CENTRE_BOX}"
    return _SHRUNK + "    whole = whole if part else image.size\n" + centre + _CENTRE_OF_SHRUNK


def _centre(rule: ImageRule) -> str:
    height, width = rule.image_size
    return _CENTRE.format(height=height, width=width)


def _in_size(rule: ImageRule, *, scaled: bool, colours: str) -> str:
    """The function that brings numbers to the size and the colours."""
    height, width = rule.image_size
    keeps_aspect = rule.decoding.keep_aspect
    centre = "whole = values.shape[1::-1]\n" + _centre(rule) + _CENTRE_BOX
    return _IN_SIZE.format(
        height=height,
        width=width,
        channels=rule.channels,
        scaled=_SCALED if scaled else "",
        colours=colours,
        box=indent(centre, 8 * " ") if keeps_aspect else "",
        resampling=rule.decoding.interpolation.upper(),
        box_argument=", box=box" if keeps_aspect else "",
    )


def _colours(color_mode: str | None, channels: int, *, whole: bool) -> str:
    if color_mode is None:
        return ""
    last = {"grayscale": _TO_GREY, "rgba": _TO_RGBA}.get(color_mode, "")
    return _COLOURS.format(channels=channels, last=last, whole=_WHOLE if whole else "")
