"""The table of signals against RTKLIB, the FDMA channels, and the numbers of satellites."""

import math

import numpy as np
import pyrtklib
import pytest

from stations.signals import (
    GPS_L1CA,
    GPS_L2W,
    SIGNALS,
    Constellation,
    channels_from,
    constellation_of,
    frequencies_hz,
    frequency_of,
    satellite_name,
    satellite_number,
    signal_of,
)

SYSTEMS = {
    Constellation.GPS: pyrtklib.SYS_GPS,
    Constellation.GLONASS: pyrtklib.SYS_GLO,
    Constellation.GALILEO: pyrtklib.SYS_GAL,
    Constellation.SBAS: pyrtklib.SYS_SBS,
    Constellation.QZSS: pyrtklib.SYS_QZS,
    Constellation.BEIDOU: pyrtklib.SYS_CMP,
    Constellation.NAVIC: pyrtklib.SYS_IRN,
}


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: f"{signal.constellation.name} {signal.code}")
def test_frequencies_equal_rtklib(signal):
    code = pyrtklib.obs2code(signal.code)
    theirs = pyrtklib.code2freq(SYSTEMS[signal.constellation], code, 3)
    if not theirs:
        # RTKLIB 2.4.3 has a misprint, "8L", in its table of codes.
        assert signal.msm_number is None or signal.code == "8I"
        return
    assert frequency_of(signal, 3) == theirs


def test_msm_numbers_are_those_of_the_standard():
    assert (GPS_L1CA, GPS_L2W) == (2, 10)
    assert {one.constellation: 0 for one in SIGNALS.values()}.keys() == set(Constellation)
    counts = {
        system: sum(s.constellation == system and s.msm_number is not None for s in SIGNALS.values())
        for system in Constellation
    }
    assert list(counts.values()) == [15, 4, 19, 4, 13, 16, 2]
    assert all(number == 100 * signal.constellation + number % 100 for number, signal in SIGNALS.items())
    assert len({(signal.constellation, signal.code) for signal in SIGNALS.values()}) == len(SIGNALS)


def test_an_fdma_frequency_needs_its_channel():
    first = signal_of(Constellation.GLONASS, "1C")
    assert math.isnan(first.frequency_hz)
    assert math.isnan(first.wavelength_m)
    assert frequency_of(first, -7) == 1_598_062_500.0
    assert frequency_of(signal_of(Constellation.GLONASS, "2P"), 6) == 1_248_625_000.0
    assert math.isnan(frequency_of(first, 7))
    assert math.isnan(frequency_of(first))
    assert frequency_of(signal_of(Constellation.GLONASS, "3Q")) == 1_202_025_000.0
    signal, channel = np.array([102, 109, 102, 2, 102]), np.array([-7.0, 6.0, np.nan, np.nan, 9.0])
    expected = [1_598_062_500.0, 1_248_625_000.0, np.nan, 1_575_420_000.0, np.nan]
    np.testing.assert_array_equal(frequencies_hz(signal, channel), expected)
    np.testing.assert_array_equal(frequencies_hz(signal), [np.nan, np.nan, np.nan, 1_575_420_000.0, np.nan])
    np.testing.assert_array_equal(channels_from(signal, np.array(expected)), [-7, 6, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("name", "number"),
    [("G07", 7), (" 77", 77), ("R24", 124), ("E11", 211), ("S20", 320), ("J01", 401), ("C60", 560), ("I09", 609)],
)
def test_satellite_numbers(name, number):
    assert satellite_number(name) == number
    assert satellite_name(number) == name.replace(" ", "G", 1)
    assert constellation_of(number) == number // 100
