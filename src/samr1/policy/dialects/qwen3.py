"""Qwen3-VL's own grounding prompt, answered without a thought.

Asked as its technical report says that its referring benchmarks are put (arXiv 2511.21631, appendix
B), with no system prompt, of which its chat template has none. It is answered and read as `qwen`,
on 0 to 1000 along either side.
"""

from __future__ import annotations

from dataclasses import replace

from samr1.policy.dialects import qwen

DIALECT = replace(
    qwen.DIALECT,
    template=(
        'Locate every object that matches the description "{query}" in the image. Report bbox '
        "coordinates in JSON format."
    ),
    system=None,
    relative=1000,
)
