"""Files that cannot be used as images: what they are instead, and what to do about it."""

from cnnrun.data.packed_images import ImageFile, shown_image
from cnnrun.errors import DataError, Problem

REPLACE = "replace it by an image, or remove it"
# First bytes of what people take for an image that can be read, and what to do about it.
_FOREIGN = (
    (4, b"ftypheic", "a HEIC image", "convert it to JPEG"),
    (4, b"ftypheix", "a HEIC image", "convert it to JPEG"),
    (4, b"ftypmif1", "a HEIF image", "convert it to JPEG"),
    (4, b"ftypavi", "an AVIF image, which this Pillow was built without", "convert it to JPEG"),
    (4, b"ftyp", "a film", "export pictures of it"),
    (0, b"\x1a\x45\xdf\xa3", "a film", "export pictures of it"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image", "convert it to PNG"),
    (0, b"\xff\x0a", "a JPEG XL image", "convert it to PNG"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image", "convert it to PNG"),
    (0, b"%!PS", "a PostScript file", "convert it to PNG"),
    (0, b"%PDF", "a PDF file", "convert it to PNG"),
    (0, b"8BPS", "a Photoshop file", "export it as PNG"),
    (0, b"<svg", "an SVG drawing", "convert it to PNG"),
    (0, b"\x93NUMPY", "a NumPy array", "name arrays of an .npz file in data.arrays"),
    (0, b"\x89HDF", "an HDF5 file", "write its arrays as .npz and name them in data.arrays"),
    (128, b"DICM", "a DICOM file", "convert it to PNG or TIFF"),
    (0, b"SIMPLE  =", "a FITS file", "convert it to TIFF"),
    (0, b"<?xml", "not an image but XML", REPLACE),
    (0, b"<!DOCTYPE", "not an image but a web page", "download the image itself, or remove it"),
    (0, b"<html", "not an image but a web page", "download the image itself, or remove it"),
    (0, b"<head", "not an image but a web page", "download the image itself, or remove it"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "run git lfs pull"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (0, b"Rar!", "a RAR archive", "unpack it"),
)
# First bytes of the formats that are read: where no image is found behind them, a header is
# damaged.
_SIGNATURES = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"RIFF", b"II*", b"MM\0*", b"II+", b"MM\0+", b"BM")
_COPY_AGAIN = "copy it again from where it came, or remove it"
_HEAD_BYTES = 512


class BadImageError(DataError):
    """An image that cannot be used.

    Attributes:
        path: the file, or the part of one.
    """

    def __init__(self, path: ImageFile, *, received: str, advice: str) -> None:
        self.path = path
        self._received = received
        self._advice = advice
        rule = "must be an image that can be decoded whole"
        super().__init__(str(Problem(None, shown_image(path), rule, received, advice)))

    @property
    def reason(self) -> str:
        """Why it cannot be used and what to do, in words that stand after its name."""
        return f"{self._received}; {self._advice}"

    def advising(self, more: str) -> "BadImageError":
        """A refusal of the image with one more next step, beside what can be done about it."""
        return BadImageError(self.path, received=self._received, advice=f"{self._advice}; {more}")


def no_image(path: ImageFile) -> BadImageError:
    """What a file is that holds nothing which can be read."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        return BadImageError(path, received="an empty file", advice="restore or remove it")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for offset, magic, kind, advice in _FOREIGN:
        start = text if offset == 0 and magic.isascii() else head[offset:]
        if start.lower().startswith(magic.lower()):
            return BadImageError(path, received=kind, advice=advice)
    if head.startswith(_SIGNATURES):
        return BadImageError(path, received="an image with a damaged header", advice=_COPY_AGAIN)
    if kind := _kind_of_text(head):
        return BadImageError(path, received=f"not an image but {kind}", advice=REPLACE)
    received = "no image, or a kind of image that Pillow cannot read"
    return BadImageError(path, received=received, advice="convert it to PNG or remove it")


def _kind_of_text(head: bytes) -> str:
    """What kind of text a file begins with, or nothing where it is none."""
    try:
        # The last bytes may be half a letter.
        text = head.decode("utf-8-sig") if len(head) < _HEAD_BYTES else head[:-4].decode()
    except UnicodeDecodeError:
        return ""
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return ""
    return "JSON" if text.lstrip().startswith(("{", "[")) else "text"


def damaged(path: ImageFile, error: BaseException) -> BadImageError:
    """What a reader's own error says of a file."""
    if isinstance(error, OSError) and error.errno is not None:
        received = error.strerror or str(error)
        return BadImageError(path, received=received, advice="restore it, or its permissions")
    reason = " ".join(str(error).split()) or type(error).__name__
    kind = "a truncated image" if "truncated" in reason.lower() else "a damaged image"
    return BadImageError(path, received=f"{kind} ({reason})", advice=_COPY_AGAIN)


def too_large(path: ImageFile, *, megapixels: float, at_most: float) -> BadImageError:
    """An image of more pixels than allowed."""
    return BadImageError(
        path,
        received=f"{megapixels:,.0f} megapixels in its header, above {at_most:g} (a photograph, or"
        " a decompression bomb?)",
        advice="shrink or remove it, or raise data.megapixels_at_most",
    )
