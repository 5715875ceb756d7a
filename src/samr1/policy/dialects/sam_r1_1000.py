"""SAM-R1's answer in thousandths of the image's sides, as Qwen3-VL was trained to count them."""

from __future__ import annotations

from dataclasses import replace

from samr1.policy.dialects import sam_r1

DIALECT = replace(
    sam_r1.DIALECT,
    template=sam_r1.DIALECT.template.replace(
        "in pixels.", "with coordinates from 0 to 1000 along either side of the image."
    ),
    relative=1000,
)
