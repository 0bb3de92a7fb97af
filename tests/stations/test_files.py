"""Reading from disk: compression by content, missing files, globs, several files of one station."""

import bz2
import dataclasses
import gzip
import io
import zipfile

import hatanaka
import ncompress
import numpy as np
import pytest

from stations.edge.files import expand_paths, load_navigation, load_observations, read_data, read_text
from stations.errors import GpsgridError, Reason
from stations.navigation_kinds import upload_key
from stations.rinex_nav import merge_ephemerides

TEXT = "     1.4            M                                       ANTEX VERSION / SYST\nplain\n"


def zipped(data: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", data)
    return memory.getvalue()


def compressed(data: bytes) -> bytes:
    """Return a text as Unix compress packs it (.Z)."""
    return ncompress.compress(data)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zipped, compressed])
def test_compression_is_seen_from_the_content(tmp_path, pack):
    path = tmp_path / "misleading.txt"
    path.write_bytes(pack(TEXT.encode()))
    assert read_text(path) == TEXT


def test_every_byte_is_one_character(tmp_path):
    path = tmp_path / "x"
    path.write_bytes("Größe ".encode() + b"\xff\n")
    assert len(read_text(path)) == 10


@pytest.mark.data
def test_hatanaka_is_undone(shared_data, tmp_path):
    packed = shared_data / "nl-2021-001" / "delf0010a.21d.gz"
    text = read_text(packed)
    assert text[60:80] == "RINEX VERSION / TYPE"
    unpacked = tmp_path / "delf.crx"
    unpacked.write_bytes(gzip.decompress(packed.read_bytes()))
    assert read_text(unpacked) == text
    again = tmp_path / "delf.21d"
    again.write_bytes(hatanaka.rnx2crx(text.encode("latin-1")))
    assert read_text(again) == text


@pytest.mark.data
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zipped, compressed])
def test_hatanaka_inside_any_compression(shared_data, tmp_path, pack):
    text = read_text(shared_data / "geonet-2005-092" / "07590920.05o")
    path = tmp_path / "misleading.txt"
    path.write_bytes(pack(hatanaka.rnx2crx(text.encode("latin-1"))))
    assert read_text(path) == text
    assert read_data(path) == text.encode("latin-1")


def test_zip_with_several_files_is_refused(tmp_path):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("a", "a")
        archive.writestr("b", "b")
    path = tmp_path / "two.zip"
    path.write_bytes(memory.getvalue())
    with pytest.raises(GpsgridError, match="archive of 2 files where one is expected; unpack it"):
        read_text(path)


@pytest.mark.data
@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_cut_off_compression_is_refused(shared_data, tmp_path, keep):
    data = (shared_data / "nl-2021-001" / "delf0010a.21d.gz").read_bytes()
    path = tmp_path / "cut.21d.gz"
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(GpsgridError, match="is it cut off") as raised:
        read_text(path)
    assert raised.value.reason is Reason.BROKEN_FILE


@pytest.mark.data
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut", [1, 30, 12_345, 480_000])
def test_a_half_written_hatanaka_file_loses_its_last_epoch_and_says_so(shared_data, tmp_path, cut, packed):
    data = gzip.decompress((shared_data / "nl-2021-001" / "delf0010a.21d.gz").read_bytes())[:-cut]
    path = tmp_path / "half.21d.gz"
    path.write_bytes(gzip.compress(data) if packed else data)
    read = load_observations([path])
    whole = load_observations([shared_data / "nl-2021-001" / "delf0010a.21d.gz"])
    epochs = len(read.epochs)
    assert 0 < epochs < len(whole.epochs)
    assert [epoch.time_ns for epoch in read.epochs] == [epoch.time_ns for epoch in whole.epochs[:epochs]]
    np.testing.assert_array_equal(read.epochs[-1].phase_cyc, whole.epochs[epochs - 1].phase_cyc)
    assert len(read.problems) == 1
    assert "last epoch dropped" in read.problems[0]


@pytest.mark.data
def test_a_hatanaka_file_that_is_damaged_inside_is_refused(shared_data, tmp_path):
    lines = gzip.decompress((shared_data / "nl-2021-001" / "delf0010a.21d.gz").read_bytes()).split(b"\n")
    del lines[4000:4003]
    path = tmp_path / "damaged.21d"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(GpsgridError, match="cannot be decompressed"):
        read_text(path)


@pytest.mark.data
def test_joined_hatanaka_files_are_refused_and_nothing_is_warned_past_us(shared_data, tmp_path, recwarn):
    """The second header is an epoch of no kind to the RNXCMP program, which skips to the next it understands."""
    folder = shared_data / "nl-2021-001"
    path = tmp_path / "two.21d.gz"
    path.write_bytes((folder / "delf0010a.21d.gz").read_bytes() + (folder / "zegv0010a.21d.gz").read_bytes())
    with pytest.raises(GpsgridError, match="cannot be decompressed"):
        read_text(path)
    assert not recwarn.list


def test_missing_file_says_which_and_who_needs_it(tmp_path):
    with pytest.raises(GpsgridError, match=r"gone.21o, needed by night.toml, station DELF, does not exist") as raised:
        read_text(tmp_path / "gone.21o", "night.toml, station DELF")
    assert raised.value.reason is Reason.MISSING_FILE
    assert raised.value.facts["file"] == str(tmp_path / "gone.21o")


def test_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(GpsgridError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


def test_paths_and_globs(tmp_path):
    for name in ("b.21o", "a.21o", "c.txt"):
        (tmp_path / name).touch()
    found = expand_paths(["c.txt", "*.21o"], tmp_path)
    assert [path.name for path in found] == ["c.txt", "a.21o", "b.21o"]
    assert expand_paths([str(tmp_path / "?.21o")]) == [tmp_path / "a.21o", tmp_path / "b.21o"]
    assert expand_paths(["not-there"], tmp_path) == [tmp_path / "not-there"]
    with pytest.raises(GpsgridError, match=r"no file fits 'x\*'") as raised:
        expand_paths(["x*"], tmp_path, "night.toml")
    assert raised.value.reason is Reason.MISSING_FILE


@pytest.mark.data
def test_morning_and_evening_are_spliced(shared_data):
    folder = shared_data / "nl-2021-001"
    read = load_observations([folder / "delf0010p.21d.gz", folder / "delf0010a.21d.gz"])
    assert len(read.epochs) == 1800
    assert read.interval_s == 30.0
    assert read.problems == []
    assert not any(read.epochs[1080].lock_ms)


@pytest.mark.data
def test_navigation_files_are_merged(shared_data):
    paths = sorted((shared_data / "nl-2021-001").glob("*MN.rnx.gz"))
    both = load_navigation(paths)
    assert len(both) > max(len(load_navigation([path])) for path in paths)
    assert len({(item.satellite, upload_key(item)) for item in both}) == len(both)


@pytest.mark.data
def test_group_delays_that_change_under_one_issue_are_kept(shared_data):
    """Galileo does that; of GPS, which does not, every upload has an issue of its own."""
    paths = sorted((shared_data / "nl-2021-001").glob("*MN.rnx.gz"))
    galileo = load_navigation(paths, systems="E")
    one = next(item for item in galileo if item.bgd_e5b_s)
    other = dataclasses.replace(one, bgd_e5b_s=one.bgd_e5b_s + 2.0**-32)
    assert merge_ephemerides([[one, other], [one]]) == [one, other]
