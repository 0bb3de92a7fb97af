"""Satellite and signal integers: arithmetic both ways, and the table of the standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.signals import (
    GPS_L1CA,
    GPS_L2W,
    SIGNALS,
    Constellation,
    constellation_of,
    satellite_name,
    satellite_number,
    signal_of,
)


@given(system=st.sampled_from("GRESJCI"), number=st.integers(1, 99))
def test_names_round_trip(system, number):
    """Every RINEX satellite name has one integer and comes back."""
    name = f"{system}{number:02d}"
    assert satellite_name(satellite_number(name)) == name
    assert satellite_number(name) % 100 == number
    assert constellation_of(satellite_number(name)) == "GRESJCI".index(system)


@pytest.mark.parametrize(("name", "number"), [("G07", 7), ("G 7", 7), (" 07", 7), ("  7", 7), ("E11", 211)])
def test_spellings_of_rinex_2(name, number):
    """RINEX 2 writes blanks for zeros and leaves the letter out for GPS."""
    assert satellite_number(name) == number


@pytest.mark.parametrize("name", ["X07", "G", "Gxx", "g07", "07G", "G-1"])
def test_nonsense_names_are_refused(name):
    """A name that is none is a ValueError that quotes it."""
    with pytest.raises(ValueError, match="satellite name"):
        satellite_number(name)


def test_the_table_is_consistent():
    """Numbers are keys, belong to their constellation, and every code is found again."""
    for number, signal in SIGNALS.items():
        assert signal.number == number
        assert number // 100 == signal.constellation
        assert signal_of(signal.constellation, signal.code) is signal
        assert 1 <= number % 100 <= 99
    with pytest.raises(KeyError):
        signal_of(Constellation.GPS, "9Z")


@pytest.mark.parametrize(
    ("number", "code", "wavelength_m"), [(2, "1C", 0.190294), (10, "2W", 0.244210), (22, "5I", 0.254828)]
)
def test_signals_of_rtcm(number, code, wavelength_m):
    """MSM signal numbers of GPS by RTCM 10403.3 table 3.5-91; wavelengths to the micrometre."""
    assert SIGNALS[number].code == code
    assert SIGNALS[number].wavelength_m == pytest.approx(wavelength_m, abs=1e-6)


def test_the_signals_in_use():
    """The engine's two signals are L1 C/A and L2 P(Y) by semi-codeless tracking."""
    assert (GPS_L1CA, GPS_L2W) == (2, 10)
