"""Images that a command is given by URL."""

from collections.abc import Sequence
from pathlib import Path


def local_places(given: Sequence[Path] | None, out: Path, *, quiet: bool) -> list[Path]:
    """The places of images on the disk, after copying there what URLs name.

    Args:
        given: paths, and URLs that have been taken for paths.
        out: the folder beside which copies are kept.
        quiet: whether nothing is said on the way.
    """
    from cnnrun.cli.extraction_progress import extraction_progress
    from cnnrun.data.object_stores import local_copy, url_of

    places = list(given or ())
    if not any(map(url_of, places)):
        return places
    with extraction_progress(quiet=quiet) as listener:
        return [
            local_copy(url, beside=out.absolute().parent, listener=listener)
            if (url := url_of(place))
            else place
            for place in places
        ]
