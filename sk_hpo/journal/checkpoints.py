"""The folder of paused models beside a journal.

Reading a paused model runs code, so the folder is the user's alone; and a model's digest is
in the journal, so that one that was cut short, altered or exchanged is not read.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

from sk_hpo.journal.error import JournalError

__all__ = ["private_folder", "sweep"]


def private_folder(journal: str | os.PathLike[str]) -> Path:
    """Return the folder that goes with a journal: its path with ``.d`` at the end.

    Parameters
    ----------
    journal : str or path-like
        The journal's path. The folder is made with mode 0700 if it is not there.

    Raises
    ------
    JournalError
        If the folder cannot be made, is a link or no folder, belongs to another user, or
        may be written by others.
    """
    folder = Path(f"{os.fspath(journal)}.d")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise JournalError(
            f"The folder {folder} for paused models cannot be made: {error}. Give the journal"
            " another path."
        ) from error
    _check(folder)
    return folder


def sweep(folder: Path, keep: Collection[str]) -> list[str]:
    """Delete all that is in a folder but some files; return the names of what is gone."""
    gone = sorted(set(os.listdir(folder)) - set(keep))
    for path in (folder / name for name in gone):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return gone


def _check(folder: Path) -> None:
    """Raise JournalError unless what is in `folder` can only come from this user."""
    found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "no folder"
        problem = f"is {kind}: move it away"
    elif found.st_uid != os.geteuid():
        problem = f"belongs to user {found.st_uid}, not to you ({os.geteuid()}): move it away"
    elif found.st_mode & 0o022:
        problem = f"may be written by others: if what it holds is yours, chmod 700 {folder}"
    else:
        return
    raise JournalError(
        f"{folder}, the folder for the paused models of the journal, {problem}. Loading a"
        " paused model runs code."
    )
