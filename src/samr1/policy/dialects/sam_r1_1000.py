"""SAM-R1's answer in thousandths of the image's sides, as Qwen3-VL was trained to count them."""

from __future__ import annotations

from dataclasses import replace

from samr1.policy.dialects import Dialect, sam_r1


def in_thousandths(dialect: Dialect) -> Dialect:
    """A dialect that asks for pixels, asking for thousandths in their place."""
    asked = "with coordinates from 0 to 1000 along either side of the image."
    return replace(dialect, template=dialect.template.replace("in pixels.", asked), relative=1000)


DIALECT = in_thousandths(sam_r1.DIALECT)
