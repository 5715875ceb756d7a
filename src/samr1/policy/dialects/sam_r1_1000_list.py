"""SAM-R1's answer with a list of objects, in thousandths of the image's sides, for a Qwen3-VL."""

from __future__ import annotations

from samr1.policy.dialects import sam_r1_list
from samr1.policy.dialects.sam_r1_1000 import in_thousandths

DIALECT = in_thousandths(sam_r1_list.DIALECT)
