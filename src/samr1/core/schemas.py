"""The Arrow schemas of the tables that pass between stages."""

from __future__ import annotations

import pyarrow as pa

# COCO run-length encoding: `size` is [height, width], `counts` the compressed bytes.
RLE = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.binary())])
BOX = pa.list_(pa.float32())  # xyxy
POINT = pa.struct([("x", pa.float32()), ("y", pa.float32()), ("value", pa.int32())])

# One row a question. `box` is xyxy in pixels of the original image; `mask` is null where the box is
# all that is known of the ground truth.
SAMPLES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("dataset", pa.string()),
        ("split", pa.string()),
        ("image_id", pa.string()),
        ("image_path", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("query", pa.string()),
        ("sentence_index", pa.int32()),
        ("box", BOX),
        ("mask", RLE),
        ("ignore", RLE),
    ]
)

# One row an annotated object of an image that a benchmark asks about, the target among them.
OBJECTS = pa.schema([("image_id", pa.string()), ("mask", RLE)])

# One row an image. `resized` is a PNG of image_size×image_size; the sizes are the original's.
IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("resized", pa.binary()),
    ]
)

# One row a sample. `box` and `points` are in pixels of the original image; of an answer that lists
# several objects they are the first one's, and `others` has the rest. The mask is that of all.
PREDICTIONS = pa.schema(
    [
        ("sample_id", pa.string()),
        ("text", pa.string()),
        ("think", pa.string()),
        ("box", BOX),
        ("points", pa.list_(POINT)),
        ("others", pa.list_(pa.struct([("box", BOX), ("points", pa.list_(POINT))]))),
        ("label", pa.string()),
        ("mask", RLE),
        ("sam_score", pa.float32()),
        ("status", pa.string()),
        ("response_tokens", pa.int32()),
    ]
)

# Long form: `value` in 0–1, with the 95 % bootstrap interval over images.
METRICS = pa.schema(
    [
        ("run", pa.string()),
        ("seed", pa.int32()),
        ("benchmark", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("n", pa.int32()),
        ("protocol", pa.string()),
    ]
)

# One row a sample and protocol: all that its figures are made of. Pixels under `seg_zero` and
# `lisa`, a box IoU under `rec`; `answered` is false where the answer could not be read. Whether it
# is of the right object (`samr1.evaluation.right`) is null where nothing is to be found, and
# `right_object` also where the image's objects are not known.
OVERLAPS = pa.schema(
    [
        ("run", pa.string()),
        ("seed", pa.int32()),
        ("benchmark", pa.string()),
        ("protocol", pa.string()),
        ("sample_id", pa.string()),
        ("image_id", pa.string()),
        ("answered", pa.bool_()),
        ("intersection", pa.int32()),
        ("union", pa.int32()),
        ("box_iou", pa.float64()),
        ("right_object", pa.bool_()),
        ("right_point", pa.bool_()),
    ]
)

# Long form: `value` is the gain of `run` over `baseline`, the mean over the pairs of `seeds`, with
# its 95 % interval over images and, where there are several, seeds. `p` is two-sided and corrected
# for nothing.
COMPARISONS = pa.schema(
    [
        ("run", pa.string()),
        ("baseline", pa.string()),
        ("benchmark", pa.string()),
        ("metric", pa.string()),
        ("protocol", pa.string()),
        ("value", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("sd_over_seeds", pa.float64()),
        ("p", pa.float64()),
        ("seeds", pa.list_(pa.int32())),
        ("n", pa.int32()),
    ]
)
