"""photos.py DIR COUNT: JPEG files of 500 x 375 in two folders, parts of scikit-learn's and scikit-image's photographs at qualities
from 75 to 95. Needs Pillow, and the files alone of those two packages."""
import glob, importlib.util, os, random, sys
from PIL import Image

def folder(package, path):
    return os.path.join(importlib.util.find_spec(package).submodule_search_locations[0], path)

target, count = sys.argv[1], int(sys.argv[2])
paths = sorted(glob.glob(folder("sklearn", "datasets/images/*.jpg"))) + [
    folder("skimage", f"data/{name}.png") for name in ("astronaut", "coffee", "chelsea")]
photos = [Image.open(path).convert("RGB") for path in paths]
random.seed(1)
for name in "ab":
    os.makedirs(os.path.join(target, name), exist_ok=True)
for i in range(count):
    photo = random.choice(photos)
    scale = max(500 / photo.width, 375 / photo.height) * random.uniform(1, 1.3)
    photo = photo.resize((int(photo.width * scale) + 1, int(photo.height * scale) + 1))
    x, y = random.randrange(photo.width - 499), random.randrange(photo.height - 374)
    photo.crop((x, y, x + 500, y + 375)).save(os.path.join(target, "ab"[i % 2], f"{i}.jpg"), quality=random.randrange(75, 95))
