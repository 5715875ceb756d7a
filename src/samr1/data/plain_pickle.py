"""Read a pickle of plain values, which REFER's refs are, and nothing that could run code.

The standard library's reader in Python, with the opcodes of lists, dictionaries, tuples, texts and
numbers alone: the one in C calls what a pickle names, and takes gigabytes for eight bytes of it.
NumPy's whole numbers, which some copies of the files have as ids, are read without NumPy.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError
from samr1.core.reading import read_bytes

_MOST_BYTES = 64_000_000  # RefCOCO's have 20 MB
_MOST_OBJECTS = 4_000_000  # lists and the like, and what is kept to be repeated; theirs have 1.3

_SCALARS = (("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"))
_DTYPE, _ENCODE = ("numpy", "dtype"), ("_codecs", "encode")

Step = Callable[[Any], None]  # on the unpickler


class _Integer:
    """NumPy's dtype of a whole number: its kind, such as i8, and which byte comes first."""

    def __init__(self, kind: str) -> None:
        if not re.fullmatch("[iu][1248]", kind):
            raise pickle.UnpicklingError(f"NumPy's {kind[:20]!r} is no whole number")
        self.kind = kind
        self.big = False

    def read(self, content: bytes | str) -> int:
        data = content.encode("latin-1") if isinstance(content, str) else content
        if len(data) != int(self.kind[1]):
            raise pickle.UnpicklingError("a number of NumPy's has another size")
        return int.from_bytes(data, "big" if self.big else "little", signed=self.kind[0] == "i")


# Of the library's own opcodes, those of plain values; and NAME, which here looks nothing up.
_PLAIN = (
    b".0(1NKMJGILFUTCBSVX)]}tlae2pqrghj\x80\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x93\x94\x95c"
)
_MAKING = b")]}tldpqr\x85\x86\x87\x94"  # what is counted


class _PlainUnpickler(pickle._Unpickler):
    """Admits plain values, which need no class or function."""

    objects = 0
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        """The names themselves, where plain data may have them."""
        if (module, name) not in (*_SCALARS, _DTYPE, _ENCODE):
            raise pickle.UnpicklingError(f"asks for {module}.{name}, which plain data never does")
        return module, name

    def make_number(self) -> None:
        """REDUCE, for the names that are admitted."""
        arguments = self.stack.pop()
        named = self.stack.pop()
        if named in _SCALARS:
            self.append(arguments[0].read(arguments[1]))
        elif named == _DTYPE:
            self.append(_Integer(arguments[0]))
        elif named == _ENCODE:
            self.append(arguments[0].encode("latin-1"))
        else:
            raise pickle.UnpicklingError("calls what is no function of plain data")

    def set_order(self) -> None:
        """BUILD, for the bytes of NumPy's numbers."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Integer):
            raise pickle.UnpicklingError("sets the state of an object")
        self.stack[-1].big = state[1] == ">"

    def set_item(self) -> None:
        """SETITEM."""
        value = self.stack.pop()
        self._update([self.stack.pop(), value])

    def set_items(self) -> None:
        """SETITEMS."""
        self._update(self.pop_mark())

    def make_dictionary(self) -> None:
        """DICT."""
        flat = self.pop_mark()
        self.append({})
        self._update(flat)

    def _update(self, flat: list[Any]) -> None:
        # A deep tuple as a key would be hashed by recursion in C, which ends in a crash.
        if not all(isinstance(key, (str, bytes, int, float)) for key in flat[::2]):
            raise pickle.UnpicklingError("has a key that is neither a text nor a number")
        self.stack[-1].update(zip(flat[::2], flat[1::2], strict=True))


def _counted(step: Step) -> Step:
    def counted(self: _PlainUnpickler) -> None:
        self.objects += 1
        if self.objects > _MOST_OBJECTS:
            raise pickle.UnpicklingError(f"has more than {_MOST_OBJECTS:,} objects")
        step(self)

    return counted


_STEPS: dict[int, Step] = {
    **{code: pickle._Unpickler.dispatch[code] for code in _PLAIN},
    ord("R"): _PlainUnpickler.make_number,
    ord("b"): _PlainUnpickler.set_order,
    ord("s"): _PlainUnpickler.set_item,
    ord("u"): _PlainUnpickler.set_items,
    ord("d"): _PlainUnpickler.make_dictionary,
}
_PlainUnpickler.dispatch = _STEPS | {code: _counted(_STEPS[code]) for code in _MAKING}


def load_plain_pickle(path: Path) -> Any:
    """Load `path`; byte strings of Python 2, which the public files hold, are read as Latin-1.

    Raises UserError where the file is missing, is no whole pickle, or asks for any class or
    function but those of NumPy's whole numbers.
    """
    data = read_bytes(path, _MOST_BYTES, "correct the data root or fetch the data set")
    try:
        return _PlainUnpickler(io.BytesIO(data), encoding="latin-1").load()
    # Broken pickles raise nearly anything, as the module's documentation says.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f"{path}: not a pickle of plain data ({reason}); fetch it again."
        ) from error
