"""glyphs.py DIR LETTERS...: letters as PNG files of 40 x 40, to learn: a folder for each, under train and test, and in test the fonts
that train does not have (every fifth). Needs Pillow and fonts, such as Debian's fonts-dejavu, fonts-freefont-ttf, fonts-lato,
fonts-liberation, fonts-open-sans and fonts-roboto-unhinted: /usr/share/fonts/truetype.

    python bench/glyphs.py three A B C
    python bench/glyphs.py all 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz
    node dist/cli.js train all --size 28 --channels 1 --augment shift,rotation:8 --normalize --seed 1

Big and small letters are told apart by their sizes on the line, as in a text.
"""
import glob, os, random, sys
from PIL import Image, ImageDraw, ImageFont

target, letters = sys.argv[1], "".join(sys.argv[2:])
pictures = 4  # of a letter, in a font

def draws_all(path):
    """Whether a font has the letters, none of which looks like the mark for what it has not."""
    try:
        font = ImageFont.truetype(path, 26)
        masks = [bytes(font.getmask(letter)) for letter in letters]
        return all(any(mask) for mask in masks) and bytes(font.getmask("\uffff")) not in masks
    except OSError:
        return False

fonts = [path for path in sorted(glob.glob("/usr/share/fonts/truetype/**/*.ttf", recursive=True)) if draws_all(path)]
random.seed(1)
for number, path in enumerate(fonts):
    split = "test" if number % 5 == 4 else "train"
    for letter in letters:
        kind = "digit" if letter.isdigit() else "big" if letter.isupper() else "small"
        folder = os.path.join(target, split, f"{kind}-{letter}")
        os.makedirs(folder, exist_ok=True)
        for i in range(pictures):
            font = ImageFont.truetype(path, random.randrange(24, 29))
            ground, ink = random.randrange(170, 256), random.randrange(0, 90)
            image = Image.new("L", (40, 40), ground)
            at = (20 + random.uniform(-2, 2), 29 + random.uniform(-2, 2))
            ImageDraw.Draw(image).text(at, letter, ink, font=font, anchor="ms")
            image.save(os.path.join(folder, f"{number}-{i}.png"))
print(f"{len(fonts)} fonts, {len(fonts) * pictures * len(letters)} pictures of {len(letters)} letters")
