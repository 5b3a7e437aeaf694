"""What TensorBoard reads of a folder, as JSON."""

import base64
import json
import sys
from glob import glob

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader, LegacyEventFileLoader

folder = sys.argv[1]
everything = {"scalars": 0, "images": 0, "tensors": 0}
events = EventAccumulator(folder, size_guidance=everything).Reload()
tags = events.Tags()
found = {
    "version": events.file_version,
    "scalars": {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags["scalars"]},
    "images": {
        tag: [
            [image.step, image.width, image.height, base64.b64encode(image.encoded_image_string).decode()]
            for image in events.Images(tag)
        ]
        for tag in tags["images"]
    },
    "texts": {
        tag: [[event.step, event.tensor_proto.string_val[0].decode()] for event in events.Tensors(tag)]
        for tag in tags["tensors"]
    },
    "plugins": {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags["tensors"]},
    "files": {},
}
for path in sorted(glob(folder + "/*")):
    raw = list(LegacyEventFileLoader(path).Load())
    assert len(raw) == len(list(EventFileLoader(path).Load()))
    found["files"][path.split("/")[-1]] = [
        len(raw),
        raw[0].wall_time,
        raw[0].source_metadata.writer,
        [event.session_log.status for event in raw if event.HasField("session_log")],
    ]
print(json.dumps(found).replace("NaN", '"NaN"'))
