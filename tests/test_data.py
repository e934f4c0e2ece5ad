"""Data sets: the formats that are read, and what is refused."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from analogkan import files
from analogkan.data import load_bundled, load_dataset, load_npz
from analogkan.data.images import check_labels
from analogkan.data.sources import read_idx
from analogkan.errors import DataError, SettingsError

from .networks import flipped

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (20, 4, 3)).astype(np.uint8)
Y = np.arange(20) % 4


def write_idx(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())
    return path


def npz(tmp_path: Path, **arrays) -> Path:
    np.savez(tmp_path / "own.npz", **({"x": X, "y": Y} | arrays))
    return tmp_path / "own.npz"


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]
)
def test_idx_files_are_read_where_torchvision_puts_them(tmp_path, name, folder):
    for part, n in (("train", 20), ("t10k", 5)):
        write_idx(tmp_path / folder / "raw" / f"{part}-images-idx3-ubyte", X[:n])
        write_idx(tmp_path / folder / "raw" / f"{part}-labels-idx1-ubyte", Y[:n])
    for split, n in (("train", 20), ("test", 5)):
        images = load_dataset(name, split, tmp_path)
        np.testing.assert_array_equal(images.x, X[:n])
        np.testing.assert_array_equal(images.y, Y[:n])
        assert (images.name, images.index.tolist()) == (name, list(range(n)))


def test_more_or_fewer_bytes_than_the_header_says_are_refused(tmp_path):
    path = write_idx(tmp_path / "x", X)
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"\x00"):
        path.write_bytes(content)
        sentence = f"{path} is damaged: its header says (20, 4, 3), it has {len(content)} bytes"
        sentence += ": remove it, and fetch it again with --download"
        with pytest.raises(DataError, match=escape(sentence)):
            read_idx(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x00", b"\x00\x00\x0d\x01" + bytes(8), b"PK\x03\x04"]
)
def test_what_is_no_idx_file_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    sentence = "x is not an idx file of unsigned bytes: remove it, and fetch it again with"
    with pytest.raises(DataError, match=f"{sentence} --download$"):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize("axes", [0, 33, 65, 255])
def test_an_idx_file_of_no_axes_or_of_absurdly_many_is_refused(tmp_path, axes):
    (tmp_path / "x").write_bytes(b"\x00\x00\x08" + bytes([axes]) + bytes(4 * axes + 1))
    sentence = f"x is damaged: its header says {axes} axes, it may have 1 to 32: remove it, and "
    with pytest.raises(DataError, match=sentence):
        read_idx(tmp_path / "x")


def test_an_idx_file_of_an_absurd_shape_is_refused_before_it_is_allocated(tmp_path):
    (tmp_path / "x").write_bytes(b"\x00\x00\x08\x03" + b"\xff" * 12)
    sentence = r"x is damaged: its header says \(4294967295, 4294967295, 4294967295\), it has 16 by"
    with pytest.raises(DataError, match=sentence):
        read_idx(tmp_path / "x")


def odd_files(folder: Path) -> list[Path]:
    """A folder, a pipe that nobody writes to, and a file without an end."""
    os.mkfifo(folder / "pipe.npz")
    (folder / "zero.npz").symlink_to("/dev/zero")
    (folder / "folder.npz").mkdir()
    return sorted(folder.iterdir())


def test_a_split_whose_name_was_damaged_is_not_left_out(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((4, 2)), y=np.arange(4) % 2, split=np.array(["test"] * 4))
    raw = path.read_bytes()
    at = raw.rindex(b"split.npy")  # in the directory, not beside the data
    path.write_bytes(raw[:at] + b"Split.npy" + raw[at + 9 :])
    with pytest.raises(DataError, match=r"data.npz is not a readable npz file: it is damaged"):
        load_npz(path, "test")


def test_only_regular_files_are_read(tmp_path):
    for path in odd_files(tmp_path):
        why = "Is a directory" if path.is_dir() else "it is no regular file"
        with pytest.raises(DataError, match=f"{path} is not a readable npz file: {why}$"):
            load_npz(path, "test")
        with pytest.raises(DataError, match=rf"{path} cannot be read \({why}\): remove it"):
            read_idx(path)


def test_an_idx_header_cut_short_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\x00\x00\x08\x03\x00\x00")
    with pytest.raises(DataError, match="x is damaged: its header says"):
        read_idx(tmp_path / "x")


def test_images_and_labels_that_differ_in_number_are_refused(tmp_path):
    write_idx(tmp_path / "MNIST/raw/t10k-images-idx3-ubyte", X)
    write_idx(tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte", Y[:-1])
    sentence = r"x has shape \(20, 4, 3\) and y \(19,\); want \(n, ...\) and \(n,\)$"
    with pytest.raises(DataError, match=sentence):
        load_dataset("mnist", "test", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_a_missing_data_set_tells_of_data_and_download(tmp_path, name):
    sentence = (
        f"does not exist: give the folder that holds {name} with --data, "
        "or add --download to fetch it with torchvision"
    )
    with pytest.raises(DataError, match=sentence):
        load_dataset(name, "test", tmp_path)


def test_an_unknown_data_set_is_refused(tmp_path):
    sentence = (
        "unknown data set 'emnist', did you mean mnist? Known: mnist, fashion-mnist, cifar10, "
        "functions such as thermistor, or the path of an .npz or .csv file"
    )
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        load_dataset("emnist", "test", tmp_path)


def test_an_npz_is_split_by_its_marks(tmp_path):
    marks = np.where(np.arange(20) < 12, "train", "test")
    path = npz(tmp_path, split=marks)
    assert load_npz(path, "train").index.tolist() == list(range(12))
    test = load_dataset(str(path), "test", tmp_path)
    np.testing.assert_array_equal(test.x, X[12:])
    np.testing.assert_array_equal(test.y, Y[12:])


def test_an_npz_without_marks_gives_a_fifth_of_each_class_to_the_test_set(tmp_path):
    path = npz(tmp_path)
    train, test = load_npz(path, "train"), load_npz(path, "test")
    assert np.bincount(test.y).tolist() == [1, 1, 1, 1]
    assert sorted([*train.index, *test.index]) == list(range(20))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"y": Y[:3]}, ": x has shape (20, 4, 3) and y (3,); want (n, ...) and (n,)"),
        ({"x": X[:, 0, 0]}, ": x has shape (20,) and y (20,); want (n, ...) and (n,)"),
        ({"x": X[:, :0]}, ": x has shape (20, 0, 3) and y (20,); want (n, ...) and (n,)"),
        ({"x": np.where(X < 9, np.nan, X)}, " holds NaN or infinity"),
        ({"x": X.astype(str)}, ": x has type <U3, which holds no numbers"),
        ({"y": Y - 1}, ": label -1 is out of range: classes are 0 to 65535"),
        ({"x": X > 9}, ": x has type bool, which holds no numbers"),
        ({"x": X + 1j}, ": x has type complex128, which holds no numbers"),
        ({"x": np.zeros(20, "f8,i4")}, ": x has shape (20,) and y (20,); want (n, ...) and (n,)"),
        ({"x": np.zeros((20, 2), "f8,i4")}, "('f1', '<i4')], which holds no numbers"),
        ({"y": Y > 1}, ": labels of type bool are no classes: use 0, 1, 2, ..."),
        ({"y": np.array(3)}, ": x has shape (20, 4, 3) and y (); want (n, ...) and (n,)"),
        (
            {"y": Y.astype("M8[s]")},
            ": labels of type datetime64[s] are no classes: use 0, 1, 2, ...",
        ),
        (
            {"y": np.full(20, 2**64 - 1)},
            ": label 1.84467e+19 is out of range: classes are 0 to 65535",
        ),
        (
            {"x": np.where(X[7, 1, 2] == X, 9.9e37, X)},
            ": image 2 holds 9.9e+37 (SCPI's code for infinity or overload): inputs are at most "
            "1e+30 in size",
        ),
        (
            {"x": np.where(np.arange(20) == 7, -3e31, X.T).T},
            ": image 7 holds -3e+31: inputs are at most 1e+30 in size",
        ),
        (
            {"split": np.arange(20)},
            ': split has type int64; it must be (20,) of "train" and "test"',
        ),
        (
            {"split": np.array([b"tr\xffin"] * 20)},
            ': split must be (20,) of "train" and "test", and is (20,) of "tr\ufffdin"',
        ),
        (
            {"split": np.array("train")},
            ': split must be (20,) of "train" and "test", and is () of "train"',
        ),
        (
            {"y": Y + 0.5 + 1e31 * (Y[0] == Y)},
            ": the target of point 0 holds 1e+31: targets are at most 1e+30 in size",
        ),
        ({"y": np.full(20, np.inf)}, ": the label of image 0 holds NaN or infinity"),
        ({"y": Y.astype(str)}, ": labels of type <U21 are no classes: use 0, 1, 2, ..."),
        (
            {"split": np.full(20, "val")},
            ': split must be (20,) of "train" and "test", and is (20,) of "val"',
        ),
        (
            {"split": np.full(20, "train")},
            ' has no test images: mark some as "test" in an array split',
        ),
    ],
)
def test_an_npz_that_holds_no_data_set_is_refused(tmp_path, arrays, sentence):
    with pytest.raises(DataError, match=escape(sentence) + "$"):
        load_npz(npz(tmp_path, **arrays), "test")


def test_the_first_image_that_holds_nan_is_named(tmp_path):
    x = X.astype(float)
    x[[7, 9], 1, 2] = np.nan
    with pytest.raises(DataError, match=r"own.npz: image 7 holds NaN or infinity$"):
        load_npz(npz(tmp_path, x=x), "test")


def test_an_npz_that_is_missing_lacks_labels_or_is_damaged_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    with pytest.raises(DataError, match=r"bad.npz is not a readable npz file: No such file or"):
        load_npz(path, "test")
    np.savez(path, x=X)
    with pytest.raises(DataError, match=r"bad.npz lacks y: it needs x \(n, ...\) and y \(n,\)$"):
        load_npz(path, "test")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"bad.npz is not a readable npz file: it is damaged or of"):
        load_npz(path, "test")
    np.savez(path, x=np.array([{}] * 2), y=np.arange(2))  # would be unpickled
    with pytest.raises(DataError, match=r"Object arrays cannot be loaded when allow_pickle=False"):
        load_npz(path, "test")


def rezipped(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(array: np.ndarray, **changed: object) -> bytes:
    """The bytes of an npy file, with other entries in its header."""
    stream = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array) | changed
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (b"not an array", "x: the magic string is not correct"),
        (npy(X, shape=(10, 4, 3)), "x: its shape (10, 4, 3) is not that of its bytes"),
        (npy(X, shape=(0, 4, 3)), "x: its shape (0, 4, 3) is not that of its bytes"),
        (npy(X, shape=(10**13, 4)), ""),
        (npy(X[:0], shape=(10**15,), descr="|V0"), "x: its shape (1000000000000000,) is not that"),
        (npy(X, shape=(-5, 48)), ""),
    ],
)
def test_a_member_that_is_not_the_array_it_says_is_refused(tmp_path, x, sentence):
    path = rezipped(tmp_path / "own.npz", {"x.npy": x, "y.npy": npy(Y)})
    with pytest.raises(DataError, match=rf"damaged or of another kind \({escape(sentence)}"):
        load_npz(path, "test")


def test_a_member_without_its_ending_is_read_and_twice_the_same_is_refused(tmp_path):
    path = rezipped(tmp_path / "own.npz", {"x": npy(X), "y.npy": npy(Y)})
    np.testing.assert_array_equal(load_npz(path, "test").x, load_npz(npz(tmp_path), "test").x)
    path = rezipped(tmp_path / "own.npz", {"x": npy(X), "x.npy": npy(X), "y.npy": npy(Y)})
    with pytest.raises(DataError, match=r"x is in it twice"):
        load_npz(path, "test")


def test_what_unpacks_to_far_more_than_the_file_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SMALL", 2**20)
    path = rezipped(
        tmp_path / "own.npz",
        {"x.npy": npy(np.zeros(1, np.uint8), shape=(3 * 2**20, 1)) + bytes(3 * 2**20)},
        zipfile.ZIP_DEFLATED,
    )
    sentence = r"it unpacks to 3,145,8\d\d bytes from [0-9,]+; more than 100 times its size is not"
    with pytest.raises(DataError, match=sentence):
        load_npz(path, "test")


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("kind", [">f8", "<f4", ">f2", ">u2", ">i4"])
def test_any_byte_order_and_layout_is_read_right(tmp_path, kind, order):
    path = npz(tmp_path, x=np.array(X, kind, order=order), y=Y.astype(">i8"))
    images = load_npz(path, "test")
    np.testing.assert_array_equal(images.x, X[images.index])
    assert images.x.dtype.isnative and images.x.flags.c_contiguous
    torch.tensor(images.x)  # which knows no other order


def test_an_entry_that_damage_takes_out_of_the_directory_is_missed(tmp_path):
    """With other marks than the file's the test set would be another."""
    path = npz(tmp_path, split=np.where(np.arange(20) < 12, "train", "test"))
    whole = bytearray(path.read_bytes())
    *_, last, marks = (m.start() for m in re.finditer(b"PK\x01\x02", whole))
    length = whole.index(b"PK\x05\x06") - marks
    whole[last + 32] = length  # of its comment, which swallows the next entry
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["x.npy", "y.npy"]
    with pytest.raises(DataError, match=r"\([0-9]{3} bytes of it belong to no member\)$"):
        load_npz(path, "test")


def test_a_flipped_bit_of_an_npz_is_refused_or_changes_nothing(tmp_path):
    path = npz(tmp_path)
    whole, before = path.read_bytes(), load_npz(path, "test")
    for bit in np.random.default_rng(0).integers(0, 8 * len(whole), 150):
        path.write_bytes(flipped(whole, bit))
        try:
            found = load_npz(path, "test")
        except DataError:
            continue
        np.testing.assert_array_equal(found.x, before.x)
        np.testing.assert_array_equal(found.y, before.y)


def test_whole_float_labels_are_classes(tmp_path):
    assert load_npz(npz(tmp_path, y=Y.astype(float)), "test").y.dtype == np.int64


def test_a_label_without_an_output_is_refused_and_its_image_named(tmp_path):
    images = load_npz(npz(tmp_path, split=np.full(20, "test")), "test").take(np.array([1, 2, 3]))
    check_labels(images, 4)
    sentence = "label 3 of image 3 in own is out of range: the network has 3 outputs, 0 to 2"
    with pytest.raises(DataError, match=f"^{sentence}$"):
        check_labels(images, 3)


def test_images_become_the_networks_shape_or_are_refused(tmp_path):
    images = load_npz(npz(tmp_path, split=np.full(20, "test")), "test")
    np.testing.assert_array_equal(images.flat((4, 3)), X.reshape(20, 12))
    square = load_npz(npz(tmp_path, x=X[:, :3], split=np.full(20, "test")), "test")
    assert square.flat((2, 2)).shape == (20, 4)
    for other in ((3, 2, 2), (2, 2), (8, 6)):  # another rank, other proportions, enlarging
        with pytest.raises(DataError, match=r"of own have shape \(4, 3\); the network takes"):
            images.flat(other)
    flat = load_npz(npz(tmp_path, x=X.reshape(20, 12)), "test")
    assert flat.flat((4, 3)).shape == (4, 12)
    with pytest.raises(DataError, match=r"have shape \(12,\); the network takes \(2, 2\) "):
        flat.flat((2, 2))


def test_the_bundled_images_are_100_of_each_class_at_14_by_14():
    images = load_bundled()
    assert (images.x.shape, images.x.dtype) == ((1000, 196), np.uint8)
    assert np.bincount(images.y).tolist() == [100] * 10


def test_the_bundled_images_are_the_first_of_each_class_of_the_mnist_test_set(shared_data):
    bundled, mnist = load_bundled(), load_dataset("mnist", "test", shared_data)
    first = np.concatenate([np.flatnonzero(mnist.y == c)[:100] for c in range(10)])
    np.testing.assert_array_equal(bundled.index, np.sort(first))
    same = mnist.take(bundled.index)
    np.testing.assert_array_equal(bundled.y, same.y)
    np.testing.assert_array_equal(bundled.x, same.flat((14, 14)))


def jpegs(n: int) -> tuple[list[bytes], np.ndarray]:
    """n random JPEG files, and what they decode to."""
    files, decoded = [], []
    for k in range(n):
        stream = io.BytesIO()
        noise = np.random.default_rng(k).integers(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(noise).save(stream, "jpeg", quality=75)
        files.append(stream.getvalue())
        decoded.append(np.asarray(Image.open(io.BytesIO(files[-1]))))
    return files, np.stack(decoded)


def cifar10(folder: Path, **changed: np.ndarray) -> np.ndarray:
    """Write four pictures as JPEG scans, with other arrays; their pixels."""
    files, decoded = jpegs(4)
    header = files[0][: files[0].index(b"\xff\xda")]  # all up to the start of the scan
    assert all(f.startswith(header) for f in files)
    scans = [f[len(header) :] for f in files]
    (folder / "cifar10").mkdir(exist_ok=True)
    arrays: dict[str, Any] = {
        "header": np.frombuffer(header, np.uint8),
        "test_scan": np.frombuffer(b"".join(scans), np.uint8),
        "test_offsets": np.cumsum([0, *map(len, scans)]),
        "test_labels": np.array([3, 1, 0, 2]),
    }
    arrays |= changed
    np.savez(folder / "cifar10" / "cifar10_jpeg.npz", **arrays)
    return decoded


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"header": np.zeros(9, np.uint8)},
            "jpeg.npz: image 0 of test is damaged (cannot identify",
        ),
        (
            {"header": np.zeros(9)},
            "jpeg.npz is damaged (header and scans must be bytes, offsets wh",
        ),
        (
            {"test_offsets": np.arange(4)},
            "jpeg.npz is damaged (offsets have shape (4,), labels (4,",
        ),
        ({"test_offsets": np.arange(5)}, "jpeg.npz: image 0 of test is damaged ("),
        (
            {"test_labels": np.array(3)},
            "jpeg.npz is damaged (offsets have shape (5,), labels ()): ",
        ),
        (
            {"test_labels": -np.arange(4)},
            "jpeg.npz: label -3 is out of range: classes are 0 to 655",
        ),
        ({"test_scan": np.zeros(9, np.uint8)}, "jpeg.npz: image 0 of test is damaged ("),
    ],
)
def test_a_damaged_cifar10_is_refused_by_its_image(tmp_path, changed, sentence):
    cifar10(tmp_path, **changed)
    with pytest.raises(DataError, match=escape(sentence)):
        load_dataset("cifar10", "test", tmp_path)


def test_cifar10_batches_that_are_not_torchvisions_are_refused(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(b"\x80\x02}q.")
    sentence = "cifar-10-batches-py is not the CIFAR-10 that torchvision knows ("
    with pytest.raises(DataError, match=f"{escape(sentence)}Dataset not found or corrupted"):
        load_dataset("cifar10", "test", tmp_path)
    os.mkfifo(folder / "data_batch_1")
    with pytest.raises(DataError, match=f"{escape(sentence)}it is no regular file"):
        load_dataset("cifar10", "test", tmp_path)


def test_cifar10_kept_as_jpeg_scans_behind_one_header_is_decoded(tmp_path):
    decoded = cifar10(tmp_path)
    images = load_dataset("cifar10", "test", tmp_path)
    assert images.name == "cifar10 (JPEG quality 75)"
    np.testing.assert_array_equal(images.x, decoded)
    np.testing.assert_array_equal(images.y, [3, 1, 0, 2])


def test_the_cifar10_folder_loads(shared_data):
    images = load_dataset("cifar10", "test", shared_data)
    assert (images.x.shape, images.x.dtype) == ((10_000, 32, 32, 3), np.uint8)
    assert images.y.tolist() == list(range(10)) * 1000
    # Published channel means of CIFAR-10 are 0.49, 0.48 and 0.45 of full scale.
    np.testing.assert_allclose(images.x.mean((0, 1, 2)) / 255, [0.494, 0.485, 0.450], atol=0.002)
