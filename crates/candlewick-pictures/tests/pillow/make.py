"""Writes small pictures of all kinds, and what Pillow makes of them: make.py, with Pillow and numpy.

Each NAME.EXT comes with NAME.raw: 3 bytes a pixel, as decoded over white, row after row. sizes.json has the shapes, and, for some, what
Pillow's bilinear resize makes of them, covering, containing and stretched.
"""

import io
import os
import struct
import zlib

import numpy as np
from PIL import Image
from viewer import contained, covered, shown

here = os.path.dirname(os.path.abspath(__file__))
width, height = 37, 26
y, x = np.mgrid[0:height, 0:width]
scene = np.stack(
    [128 + 100 * np.sin(x / 5.0), 255 * y / height, 128 + 90 * np.cos((x + 2 * y) / 7.0)], axis=-1
).astype(np.uint8)
scene[8:16, 10:20] = [250, 20, 30]
colours = Image.fromarray(scene)
grey = colours.convert("L")
alpha = Image.fromarray((255 * x / (width - 1)).astype(np.uint8))
see_through = colours.copy()
see_through.putalpha(alpha)
grey_see_through = grey.copy()
grey_see_through.putalpha(alpha)
palette = colours.quantize(32)
smaller = Image.fromarray(scene[4:20, 6:30]).quantize(16)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(values, colour_type):
    """A PNG of sixteen bits, which Pillow writes of grey alone."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


files = {
    "jpeg-444.jpg": (colours, dict(quality=90, subsampling=0)),
    "jpeg-420.jpg": (colours, dict(quality=90, subsampling=2)),
    "jpeg-progressive.jpg": (colours, dict(quality=80, progressive=True)),
    "jpeg-grey.jpg": (grey, dict(quality=90)),
    "jpeg-cmyk.jpg": (colours.convert("CMYK"), dict(quality=95)),
    **{f"jpeg-turned-{i}.jpg": (colours, dict(quality=90, subsampling=0, exif=exif(i))) for i in range(2, 9)},
    "png-rgb.png": (colours, {}),
    "png-rgba.png": (see_through, {}),
    "png-grey.png": (grey, {}),
    "png-grey-alpha.png": (grey_see_through, {}),
    "png-palette.png": (palette, {}),
    "png-palette-transparent.png": (palette, dict(transparency=3)),
    "png-one-bit.png": (colours.convert("1"), {}),
    "png-turned.png": (colours, dict(exif=exif(6))),
    "webp-lossy.webp": (colours, dict(quality=90)),
    "webp-lossless-alpha.webp": (see_through, dict(lossless=True, exact=True)),
    "webp-animated.webp": (colours, dict(save_all=True, append_images=[grey.convert("RGB")], lossless=True)),
    "bmp-rgb.bmp": (colours, {}),
    "bmp-palette.bmp": (palette, {}),
    "gif-palette.gif": (palette, {}),
    "gif-transparent.gif": (palette, dict(transparency=3)),
    "gif-animated.gif": (palette, dict(save_all=True, append_images=[smaller.resize((width, height))])),
}
written = {}
for name, (image, options) in files.items():
    data = io.BytesIO()
    image.save(data, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "gif": "GIF"}[name.split(".")[1]], **options)
    written[name] = data.getvalue()
fine = (scene.astype(np.uint32) * 257 + 40).clip(0, 65535)
written["png-rgb-16.png"] = png16(fine.reshape(height, -1), 2)
written["png-grey-16.png"] = png16((np.asarray(grey).astype(np.uint32) * 257 + 40).clip(0, 65535), 0)


sizes = {}
for name, data in written.items():
    image = shown(data)
    stem = name.split(".")[0]
    with open(os.path.join(here, name), "wb") as file:
        file.write(data)
    raw = image.tobytes()
    for size in [(16, 16), (50, 20)] if stem in ("png-rgb", "jpeg-turned-6") else []:
        for made in (covered(image, size), contained(image, size), image.resize(size, Image.BILINEAR), covered(image.convert("L"), size)):
            raw += made.tobytes()
    with open(os.path.join(here, stem + ".raw.z"), "wb") as file:
        file.write(zlib.compress(raw, 9))
    sizes[name] = [image.height, image.width]
lines = ",\n".join(f'  "{name}": [{height}, {width}]' for name, (height, width) in sizes.items())
with open(os.path.join(here, "sizes.json"), "w") as file:
    file.write(f"{{\n{lines}\n}}\n")
