"""What Pillow makes of a picture: as a viewer shows it, over white, and in another size."""

import io

import numpy as np
from PIL import Image, ImageOps


def shown(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I"):  # sixteen bits of grey, which Pillow does not turn into eight as viewers do
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "CMYK" or (image.mode in ("RGB", "L", "1", "P") and "transparency" not in image.info):
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")


def covered(image, size):
    scale = min(image.width / size[0], image.height / size[1])
    kept = (size[0] * scale, size[1] * scale)
    left, top = (image.width - kept[0]) / 2, (image.height - kept[1]) / 2
    return image.resize(size, Image.BILINEAR, box=(left, top, left + kept[0], top + kept[1]))


def contained(image, size):
    scale = min(size[0] / image.width, size[1] / image.height)
    inner = image.resize((int(image.width * scale + 0.5), int(image.height * scale + 0.5)), Image.BILINEAR)
    outer = Image.new("RGB", size, (255, 255, 255))
    outer.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return outer
