"""Where a model or a data set is: a local path, or a name on the model hub at one revision.

A name on the hub is written `owner/name@revision` in one piece, so that a run which names another
model can never keep the revision of the first. The revision is a commit of 40 hexadecimal digits:
a branch moves, and with it what a run means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from samr1.core.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_REVISION = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubName:
    """A repository of the model hub at one commit."""

    name: str  # owner/name
    revision: str  # 40 hexadecimal digits

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"


def locate(path: str | Path) -> Path | HubName:
    """A local path, or a hub name where `path` has that form and nothing of the name is here.

    Raises ValueError, saying what is allowed, where a hub name lacks its revision, or nobody can
    look at a path: it is too long, in a folder that is closed, or a link to itself.

    >>> locate("/models/policy")
    PosixPath('/models/policy')
    """
    name, at, revision = str(path).partition("@")
    if _is_here(path) or not _NAME.fullmatch(name):
        return Path(path)
    if at and _REVISION.fullmatch(revision):
        return HubName(name, revision)
    raise ValueError(
        "must be a folder or file that is here, or a name on the model hub with its revision, "
        "owner/name@<commit of 40 hexadecimal digits>, so that results can be repeated"
    )


def _is_here(path: str | Path) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ValueError(f"cannot be looked at ({error.strerror}); name another") from error
    return True


def locate_dataset(name: str) -> str:
    """`name`, where it is a data set on the hub: owner/name, or owner/name@<commit>.

    Raises ValueError otherwise. It becomes the names of folders, so nothing else may be in it.

    >>> locate_dataset("owner/name")
    'owner/name'
    """
    name_alone, at, revision = name.partition("@")
    if not _NAME.fullmatch(name_alone) or (at and not _REVISION.fullmatch(revision)):
        raise ValueError(
            "must be owner/name, as on the model hub, or owner/name@<commit of 40 hexadecimal "
            "digits>"
        )
    return name


def _located(path: str) -> str:
    locate(path)
    return path


ModelPath = Annotated[str, AfterValidator(_located)]
"""A path in the configuration that `locate` accepts."""


def require(path: str | Path) -> Path | HubName:
    """`locate`, with a UserError for a person instead of the ValueError."""
    try:
        return locate(path)
    except ValueError as error:
        raise UserError(f"{path}: {error}.") from error


# Its library is imported where it is used: every command reads the configuration, which needs this
# module, and few go to the hub.
def cache_folder() -> Path:
    """The folder of what was downloaded: `hub/` of HF_HOME, which is below the home if not set."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def fetch_file(place: HubName, file: str) -> Path:
    """One file of the repository, from the hub's local cache or else downloaded into it."""
    from huggingface_hub import hf_hub_download

    with _reaching(place):
        return Path(hf_hub_download(place.name, file, revision=place.revision))


def fetch_file_if_there(place: HubName, file: str) -> Path | None:
    """One file of the repository as `fetch_file` has it; None where the repository lacks it."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return fetch_file(place, file)
    except UserError as error:
        # Without a network the library says that it has no such entry, which is no answer.
        missing = isinstance(error.__cause__, EntryNotFoundError)
        if missing and not isinstance(error.__cause__, LocalEntryNotFoundError):
            return None
        raise


def fetch_folder(place: HubName, patterns: list[str]) -> Path:
    """The repository's files that match `patterns`, cached or downloaded, as one folder."""
    from huggingface_hub import snapshot_download

    with _reaching(place):
        return Path(snapshot_download(place.name, revision=place.revision, allow_patterns=patterns))


def fetch_dataset_files(place: HubName, pattern: str, folder: Path) -> None:
    """Download a data set's files that match `pattern` into `folder`; what is there goes on."""
    from huggingface_hub import snapshot_download

    with _reaching(place):
        snapshot_download(
            place.name,
            repo_type="dataset",
            revision=place.revision,
            allow_patterns=pattern,
            local_dir=folder,
        )


@contextmanager
def _reaching(place: HubName) -> Iterator[None]:
    """Say what to do where the hub gives no file; its library raises many kinds of errors."""
    try:
        yield
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"{place}: cannot be had from the model hub ({reason}); correct the name or revision, "
            "or download it where there is a network and name its folder."
        ) from error
