"""Pictures of a folder to 3x64x64 by PyTorch's DataLoader and Pillow: --dir DIR --workers 2 --mode whole | draft, which has libjpeg
make the picture small while it decodes."""
import argparse, glob, json, os, time
import numpy as np, PIL, torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

p = argparse.ArgumentParser()
p.add_argument("--dir")
p.add_argument("--workers", type=int)
p.add_argument("--mode", choices=["whole", "draft"])
a = p.parse_args()

class Pictures(Dataset):
    def __init__(self):
        self.files = sorted(glob.glob(os.path.join(a.dir, "*/*.jpg")))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        image = Image.open(self.files[i])
        if a.mode == "draft":
            image.draft("RGB", (64, 64))
        image = image.convert("RGB")
        side = min(image.width, image.height)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        image = image.resize((64, 64), Image.BILINEAR, box=(left, top, left + side, top + side))
        return torch.from_numpy(np.asarray(image).copy())

if __name__ == "__main__":
    start = time.perf_counter()
    count = sum(len(batch) for batch in DataLoader(Pictures(), batch_size=128, num_workers=a.workers))
    print(json.dumps(dict(version=f"{torch.__version__}, Pillow {PIL.__version__}", count=count, seconds=time.perf_counter() - start)))
