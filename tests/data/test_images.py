"""Images of every mode, and images that cannot be used."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_world import save_image, truncate
from PIL import Image

from samr1.core.errors import UserError
from samr1.data import images
from samr1.data.image_files import check_image, check_image_bytes


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    """A picture of one colour keeps it: grey where the mode has no colour."""
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    if mode == "I;16":
        Image.fromarray(np.full((30, 40), 200 * 256 + 17, np.uint16)).save(path)
        expected = [200, 200, 200]
    else:
        colour = (255, 255, 255) if mode == "1" else (200, 40, 90)
        image = Image.new("RGB", (40, 30), colour)
        (image.quantize(8) if mode == "P" else image.convert(mode)).save(path)
        grey = round(0.299 * 200 + 0.587 * 40 + 0.114 * 90)
        expected = [grey] * 3 if mode in ("L", "LA") else list(colour)
    with Image.open(path) as saved:
        assert saved.mode == mode
    pixels = images.load_rgb(path)
    assert (pixels.shape, pixels.dtype) == ((30, 40, 3), np.uint8)
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert check_image(path, (40, 30)) == (40, 30)


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16"])
def test_indices_are_the_values_of_every_mode_that_has_them(mode: str) -> None:
    values = np.random.default_rng(0).integers(0, 65_536 if mode == "I;16" else 256, (600, 7))
    image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
    image = image if image.mode == mode else image.convert(mode)
    content = io.BytesIO()
    image.save(content, format="PNG")
    indices = images.load_indices(content.getvalue(), "a", 7, 600)
    np.testing.assert_array_equal(indices, np.asarray(image).astype(np.int32))
    assert indices.itemsize == (2 if mode == "I;16" else 1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".tif", ".webp"])
def test_a_files_content_is_checked_as_the_file_is(suffix: str) -> None:
    content = io.BytesIO()
    Image.new("RGB", (4, 3)).save(content, format=Image.registered_extensions()[suffix])
    assert check_image_bytes(content.getvalue(), "row 1", (4, 3)) == suffix
    with pytest.raises(UserError, match=r"^row 1: the image is 4×3 pixels and its annotation says"):
        check_image_bytes(content.getvalue(), "row 1", (3, 4))
    with pytest.raises(UserError, match=r"^row 1: not an image that can be read"):
        check_image_bytes(b"P6 1 1 255 abc", "row 1")


def test_a_jpeg_with_a_second_picture_in_it_is_a_jpeg() -> None:
    content = io.BytesIO()
    first, second = Image.new("RGB", (16, 16)), Image.new("RGB", (16, 16), (255, 0, 0))
    first.save(content, format="MPO", save_all=True, append_images=[second])
    assert check_image_bytes(content.getvalue(), "row 1") == ".jpg"


def test_transparency_is_dropped_and_not_blended(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (200, 40, 90, 0)).save(tmp_path / "a.png")
    assert images.load_rgb(tmp_path / "a.png")[0, 0].tolist() == [200, 40, 90]


def test_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by a quarter
    save_image(path, 40, 30, exif=exif)
    assert images.load_rgb(path).shape == (30, 40, 3)
    assert check_image(path) == (40, 30)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_truncated_image_is_found_by_both(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_image(path, 200, 100)
    check_image(path)
    truncate(path)
    for use in (check_image, images.load_rgb):
        with pytest.raises(UserError, match=rf"{name}: the image is broken .*truncated"):
            use(path)


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    save_image(tmp_path / "a.jpg", 40, 30)
    with pytest.raises(UserError, match=r"a\.jpg: the image is 40×30 pixels .* says 30×40"):
        check_image(tmp_path / "a.jpg", (30, 40))


def test_missing_foreign_and_32_bit_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    Image.fromarray(np.zeros((3, 3), np.float32)).save(tmp_path / "float.tif")
    cases = {
        "none.jpg": "no such file",
        "text.jpg": "not an image",
        "empty.jpg": "not an image",
        "page.jpg": "not an image",  # PIL would start another program to read it
        "float.tif": "32-bit images",
    }
    for name, message in cases.items():
        for use in (check_image, images.load_rgb):
            with pytest.raises(UserError, match=rf"{name}: {message}"):
                use(tmp_path / name)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_600, 60_000])
def test_a_picture_that_claims_to_be_huge_is_refused_unread(tmp_path: Path, side: int) -> None:
    """Above the limit, and so far above it that PIL itself refuses to open the file."""
    path = tmp_path / "bomb.png"
    save_image(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", side, side)  # width and height in the IHDR chunk
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    for use in (check_image, images.load_rgb):
        with pytest.raises(UserError, match=r"bomb\.png: the image has more than 90,000,000"):
            use(path)


def content_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, format=kind, **options)
    return content.getvalue()


def test_a_picture_is_taken_as_it_is_seen() -> None:
    exif = Image.Exif()
    wide = Image.new("RGB", (40, 20), (250, 0, 0))
    wide.paste((0, 0, 250), (0, 0, 20, 20))  # blue on the left
    for turn, shape in ((1, (20, 40, 3)), (6, (40, 20, 3)), (3, (20, 40, 3))):
        exif[0x0112] = turn
        for kind in ("JPEG", "TIFF", "PNG"):
            pixels = images.load_picture(content_of(wide, kind, exif=exif), "picture")
            assert pixels.shape == shape, kind
            blue_first = {1: True, 6: True, 3: False}[turn]
            assert (pixels[5, 5, 2] > 200) == blue_first, (kind, turn)
    broken = content_of(wide, "JPEG", exif=b"Exif\0\0not a table of tags")
    assert images.load_picture(broken, "picture").shape == (20, 40, 3)
    clear = Image.new("RGBA", (3, 3), (9, 9, 9, 0))
    assert images.load_picture(content_of(clear), "picture").min() == 255
    deep = Image.fromarray(np.full((3, 3), 200 * 256, np.uint16))
    assert images.load_picture(content_of(deep), "picture")[0, 0].tolist() == [200] * 3
    with pytest.raises(UserError, match="more than 799 pixels"):
        images.load_picture(content_of(wide), "picture", 799)
    with pytest.raises(UserError, match="picture: not an image"):
        images.load_picture(b"<svg/>", "picture")
