from __future__ import annotations

import numpy as np
import pytest

from sk_hpo.execution import shared


def through_file(obj, tmp_path):
    shared.dump(obj, tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    return shared.load(tmp_path / "file")


def through_array(obj, tmp_path):
    packed = shared.pack(obj)
    assert packed.dtype == np.uint8
    return shared.unpack(packed)


@pytest.mark.parametrize("travel", [through_file, through_array])
def test_shared_objects_keep_values_order_and_layout(tmp_path, travel):
    fortran = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    obj = {"a": np.arange(5), "b": [fortran, "text"], "c": np.zeros((0, 3))}
    obj["f"] = lambda x: x + 1
    back = travel(obj, tmp_path)
    np.testing.assert_array_equal(back["a"], obj["a"])
    np.testing.assert_array_equal(back["b"][0], fortran)
    assert back["b"][0].flags.f_contiguous
    assert back["c"].shape == (0, 3)
    assert back["f"](1) == 2
    assert back["a"].flags.writeable
    assert back["a"].ctypes.data % 64 == 0 or travel is through_array


def test_arrays_are_views_of_the_packed_bytes():
    packed = shared.pack(np.zeros(1000))
    back = shared.unpack(packed)
    assert np.shares_memory(packed, back)


def test_shared_files_are_never_overwritten(tmp_path):
    shared.dump(1, tmp_path / "file")
    with pytest.raises(FileExistsError):
        shared.dump(2, tmp_path / "file")
