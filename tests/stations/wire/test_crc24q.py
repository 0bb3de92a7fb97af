"""CRC-24Q: kernel, shift register and an independent implementation agree."""

from hypothesis import given
from hypothesis import strategies as st
from pyrtcm import calc_crc24q

from stations.wire.crc24q import crc24q, crc24q_slow


@given(st.binary(max_size=200))
def test_kernel_shift_register_and_pyrtcm_agree(data):
    assert crc24q(data) == crc24q_slow(data) == calc_crc24q(data)


@given(st.binary(max_size=100))
def test_data_with_their_checksum_have_checksum_zero(data):
    assert crc24q(data + crc24q(data).to_bytes(3)) == 0


def test_of_nothing_is_zero():
    assert crc24q(b"") == 0
