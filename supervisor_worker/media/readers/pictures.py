"""Pictures that the model cannot be shown as they are: of another format, or larger than it takes. They leave as JPEG."""

from __future__ import annotations

import io
from typing import Final

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from supervisor_worker.media.image_header import MAX_BYTES
from supervisor_worker.media.readers.extract import BoundedText, Extras, Unreadable

MAX_PIXELS: Final = 40_000_000
"""Of a picture that is decoded at all; JPEG of any size is decoded smaller."""
MAX_SIDE: Final = 1_568
"""Pixels of the longer side of what leaves; the model would scale down what is larger."""
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "BMP", "TIFF")
_QUALITIES: Final = (85, 60, 30)
_MAX_JPEG_PIXELS: Final = 300_000_000


def read(content: bytes, charset: str, text: BoundedText) -> Extras:
    """Convert the picture. Raises Unreadable `too_large` or `damaged`."""
    del charset, text  # a picture has neither
    pillow_heif.register_heif_opener(thumbnails=False)
    pillow_heif.options.DECODE_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None  # a bound of ours stands below, before anything is decoded
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise Unreadable("damaged") from None
    width, height = picture.size
    if width * height > (_MAX_JPEG_PIXELS if picture.format == "JPEG" else MAX_PIXELS):
        raise Unreadable("too_large")
    picture.draft("RGB", (MAX_SIDE, MAX_SIDE))  # JPEG alone: decoded at a half, a quarter or an eighth of its size
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    turned = ImageOps.exif_transpose(picture)
    if turned.mode in {"RGBA", "LA", "PA"} or "transparency" in turned.info:
        white = Image.new("RGBA", turned.size, "white")
        white.alpha_composite(turned.convert("RGBA"))
        turned = white
    return Extras(picture=_jpeg(turned.convert("RGB")))


def _jpeg(picture: Image.Image) -> bytes:
    """As JPEG, of a quality with which it fits."""
    for quality in _QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        if out.tell() <= MAX_BYTES:
            return out.getvalue()
    raise Unreadable("too_large")
