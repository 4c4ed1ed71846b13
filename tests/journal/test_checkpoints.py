from __future__ import annotations

import os
import stat

import pytest

from sk_hpo.journal.checkpoints import private_folder, sweep
from sk_hpo.journal.error import JournalError


@pytest.fixture
def folder(tmp_path):
    return private_folder(tmp_path / "search.journal")


def test_the_folder_is_beside_the_journal_and_private(tmp_path):
    old = os.umask(0)
    try:
        folder = private_folder(tmp_path / "search.journal")
    finally:
        os.umask(old)
    assert folder == tmp_path / "search.journal.d"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert private_folder(tmp_path / "search.journal") == folder  # one that is there


def test_what_is_not_kept_is_deleted(folder):
    for name in ("a", "b", "c", "d", ".unfinished"):
        (folder / name).touch()
    assert sweep(folder, {"b", "c", "gone"}) == [".unfinished", "a", "d"]
    assert sorted(os.listdir(folder)) == ["b", "c"]


def test_sweeping_does_not_follow_links(folder, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").touch()
    (folder / "link").symlink_to(tmp_path / "kept")
    (folder / "folder").mkdir()
    (folder / "folder" / "x").touch()
    assert sweep(folder, ()) == ["folder", "link"]
    assert (tmp_path / "kept" / "x").exists()
    assert os.listdir(folder) == []


class TestRefused:
    def test_a_link(self, tmp_path):
        (tmp_path / "real").mkdir(mode=0o700)
        (tmp_path / "link.d").symlink_to(tmp_path / "real")
        with pytest.raises(JournalError, match="is a link: move it away"):
            private_folder(tmp_path / "link")

    def test_a_link_to_nothing(self, tmp_path):
        (tmp_path / "link.d").symlink_to(tmp_path / "nothing")
        with pytest.raises(JournalError, match="is a link: move it away"):
            private_folder(tmp_path / "link")

    def test_a_file(self, tmp_path):
        (tmp_path / "file.d").touch()
        with pytest.raises(JournalError, match="is no folder: move it away"):
            private_folder(tmp_path / "file")

    @pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
    def test_a_folder_that_others_may_write(self, tmp_path, mode):
        (tmp_path / "d.d").mkdir()
        (tmp_path / "d.d").chmod(mode)
        with pytest.raises(JournalError, match=r"may be written by others.*chmod 700"):
            private_folder(tmp_path / "d")

    def test_a_folder_of_another_user(self, tmp_path, monkeypatch):
        (tmp_path / "d.d").mkdir(mode=0o700)
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
        with pytest.raises(JournalError, match=f"belongs to user {me}, not to you"):
            private_folder(tmp_path / "d")

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        with pytest.raises(JournalError, match="cannot be made"):
            private_folder(tmp_path / "missing" / "d")
