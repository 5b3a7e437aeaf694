"""Writes what Pillow makes of real pictures, for a test by hand: real.py OUT FOLDERS..., and then

    PICTURES=OUT cargo test -p candlewick-pictures --test pillow -- --ignored --nocapture

Each picture in and below the folders that Pillow opens stands in OUT under a number, with what make.py writes of its own: pixels, and
64 x 64 of them, covering, contained and stretched. The photographs of scikit-learn's and scikit-image's wheels, and image/*/testdata of
Go's sources (in Debian golang-1.19-src), which has the PNG test suite, are such folders.
"""

import json
import os
import sys
import zlib

from PIL import Image
from viewer import contained, covered, shown

out, *folders = sys.argv[1:]
os.makedirs(out, exist_ok=True)
sizes, size = {}, (64, 64)
for folder in folders:
    for path, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            end = os.path.splitext(name)[1].lower()
            if end not in (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"):
                continue
            with open(os.path.join(path, name), "rb") as file:
                data = file.read()
            try:
                image = shown(data)
            except Exception as error:
                print(f"left out: {name}: {error}")
                continue
            stem = f"{len(sizes):04}"
            with open(os.path.join(out, f"{stem}-{name}"), "wb") as file:
                file.write(data)
            made = (image, covered(image, size), contained(image, size), image.resize(size, Image.BILINEAR))
            with open(os.path.join(out, f"{stem}-{name.split('.')[0]}.raw.z"), "wb") as file:
                file.write(zlib.compress(b"".join(one.tobytes() for one in made), 1))
            sizes[f"{stem}-{name}"] = [image.height, image.width]
with open(os.path.join(out, "sizes.json"), "w") as file:
    json.dump(sizes, file)
print(f"{len(sizes)} pictures")
