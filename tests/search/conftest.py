from __future__ import annotations

import pytest


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Work in an empty folder, and have temporary files in another that is watched."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def log(tmp_path):
    return str(tmp_path / "log")
