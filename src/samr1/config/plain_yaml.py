"""YAML that means what it seems to mean, and no more of it than a person writes.

In YAML 1.1 values are other things than they look (`010` is 8, `1:30` is 90, `2026-02-01` is no
text), the last of two equal keys counts, and a line can say gigabytes. All of that is refused, with
the line where it stands.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from samr1.core.reading import is_text

_MOST_NODES = 20_000  # values and keys, with what is repeated by an alias counted each time
_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ["str", "int", "float", "bool", "null", "seq", "map", "merge"]
}
_OTHER_NUMBER = re.compile(r"[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?")
_DATE = "tag:yaml.org,2002:timestamp"
_MOST_DIGITS = 18


class PlainYamlError(Exception):
    """Why a text is no YAML of this kind and what to do, in words that follow a colon."""


def load_plain_yaml(text: str) -> Any:
    """The value of the one document in `text`; raises PlainYamlError."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _Checker(loader).count(node)
        return None if node is None else loader.construct_document(node)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        raise PlainYamlError(_explain(error, text)) from error
    except ValueError as error:  # a number of underscores
        raise PlainYamlError(f"not valid YAML ({error}); correct it") from error
    except RecursionError as error:
        raise PlainYamlError("has lists or mappings too deep in one another; undo them") from error


def _explain(error: yaml.MarkedYAMLError | yaml.reader.ReaderError, text: str) -> str:
    """The line that is to be looked at, what is wrong and what to do."""
    if isinstance(error, yaml.reader.ReaderError):
        line, problem = text.count("\n", 0, error.position), error.reason
    else:
        # A key or a text in quotes is wrong where it begins, and a list or mapping where it ends.
        scanned = (error.context or "").startswith("while scanning") and error.context_mark
        mark = scanned or error.problem_mark
        line, problem = mark.line, error.problem.removeprefix("but ")
    lines = enumerate(text.splitlines(), start=1)
    empty = next((number for number, one in lines if one.startswith("{}")), None)
    order = f"remove {{}} from line {empty}" if empty else "correct the line"
    return f"line {line + 1}: not valid YAML ({problem}); {order}"


class _Checker:
    """Looks at the parsed text before any value is made of it."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader = loader
        self.counted: dict[int, int | None] = {}  # a list or mapping -> its nodes; None while at it

    def count(self, node: yaml.Node) -> int:
        """The nodes in `node`, itself one of them. Raises PlainYamlError where one is not plain."""
        place = f"line {node.start_mark.line + 1}"
        if isinstance(node, yaml.ScalarNode):
            self._check_scalar(node, place)
            return 1
        if id(node) in self.counted:
            known = self.counted[id(node)]
            if known is None:
                raise PlainYamlError(f"{place} holds itself by an alias; write it out")
            return known
        if node.tag not in _TAGS:
            raise PlainYamlError(f"{place} has the tag {node.tag!r}; leave it out")
        self.counted[id(node)] = None
        inside = node.value
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            inside = [one for pair in node.value for one in pair]
        nodes = 1 + sum(map(self.count, inside))
        if nodes > _MOST_NODES:
            raise PlainYamlError(f"{place} holds more than {_MOST_NODES:,} values; take some out")
        self.counted[id(node)] = nodes
        return nodes

    def _check_scalar(self, node: yaml.ScalarNode, place: str) -> None:
        plain, shown = node.style is None, repr(node.value[:40])
        if plain and (_OTHER_NUMBER.fullmatch(node.value) or node.tag == _DATE):
            raise PlainYamlError(
                f"{place}: {shown} is another number or a date to YAML; write a number without "
                "leading zeros or colons, or a text in quotes"
            )
        resolved = self.loader.resolve(yaml.ScalarNode, node.value, (plain, not plain))
        if node.tag not in _TAGS or node.tag != resolved:
            raise PlainYamlError(f"{place}: {shown} has the tag {node.tag!r}; leave it out")
        if node.tag.endswith(":int") and len(node.value) > _MOST_DIGITS:
            raise PlainYamlError(f"{place}: {shown} has too many digits for a number; correct it")
        if not is_text(node.value):
            raise PlainYamlError(f"{place}: {shown} is no valid Unicode; correct it")

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set[Any]()  # as they stand, and what they are: `1` and `0x1` are one
        for key, _ in node.value:
            place = f"line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise PlainYamlError(f"{place}: a key is a list or a mapping; give it a name")
            merges = key.tag.endswith(":merge")
            told = {key.value} if merges else {key.value, self.loader.construct_object(key)}
            if told & seen:
                raise PlainYamlError(
                    f"{place}: the key {key.value[:40]!r} stands twice; keep one of the two"
                )
            seen |= told
