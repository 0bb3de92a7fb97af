"""Phase centre corrections: the sign of ANTEX, interpolation, and RTKLIB's antenna model."""

import numpy as np
import pyrtklib
import pytest

from models.antenna import phase_center_range_m
from stations.antex import AntennaCalibration, FrequencyPattern
from stations.edge.files import load_antex
from stations.errors import GpsgridError, Reason

ZENITH_RAD = np.radians(np.arange(0.0, 91.0, 5.0))


def calibration(
    offset_enu_m=(0.0, 0.0, 0.0), variation_m=None, azimuth_deg=(), by_azimuth_m=None
) -> AntennaCalibration:
    pattern = FrequencyPattern(
        np.array(offset_enu_m),
        ZENITH_RAD,
        np.zeros(19) if variation_m is None else variation_m,
        np.radians(np.array(azimuth_deg, dtype=float)),
        np.empty((0, 19)) if by_azimuth_m is None else by_azimuth_m,
    )
    return AntennaCalibration("TEST            NONE", "", None, None, {"G01": pattern})


@pytest.mark.parametrize(
    ("offset_enu_m", "elevation_deg", "azimuth_deg", "expected_m"),
    [
        ((0.0, 0.0, 0.1), 90.0, 0.0, -0.1),
        ((0.0, 0.0, 0.1), 30.0, 77.0, -0.05),
        ((0.1, 0.0, 0.0), 0.0, 90.0, -0.1),
        ((0.1, 0.0, 0.0), 0.0, 270.0, 0.1),
        ((0.0, 0.1, 0.0), 0.0, 0.0, -0.1),
        ((0.0, 0.1, 0.0), 60.0, 180.0, 0.05),
    ],
)
def test_a_phase_centre_nearer_to_the_satellite_shortens_the_range(
    offset_enu_m, elevation_deg, azimuth_deg, expected_m
):
    got = phase_center_range_m(calibration(offset_enu_m), "G01", np.radians([elevation_deg]), np.radians([azimuth_deg]))
    assert got == pytest.approx([expected_m], abs=1e-12)


def test_offset_equals_the_difference_of_distances(rng):
    """From the definition: range to the phase centre minus range to the reference point, 20 000 km away."""
    offset = rng.normal(0.0, 0.05, 3)
    elevation, azimuth = rng.uniform(0.1, 1.5, 50), rng.uniform(-4.0, 7.0, 50)
    cosine = np.cos(elevation)
    satellite_m = 2.0e7 * np.stack([np.sin(azimuth) * cosine, np.cos(azimuth) * cosine, np.sin(elevation)], axis=-1)
    expected = np.linalg.norm(satellite_m - offset, axis=-1) - np.linalg.norm(satellite_m, axis=-1)
    # The line of sight turns by offset / range: less than 1e-9 m; norms near 2e7 m resolve 4e-9 m.
    np.testing.assert_allclose(
        phase_center_range_m(calibration(tuple(offset)), "G01", elevation, azimuth), expected, atol=2e-8
    )


def test_variation_is_added_and_linear_between_nodes():
    variation = np.linspace(0.0, 0.018, 19) ** 1
    got = phase_center_range_m(
        calibration(variation_m=variation), "G01", np.radians([90.0, 87.5, 45.0, 0.0, -3.0]), np.zeros(5)
    )
    np.testing.assert_allclose(got, [0.0, 0.0005, 0.009, 0.018, 0.018], atol=1e-12)


def test_azimuth_grid_is_used_and_closes_at_north(rng):
    azimuths = np.arange(0.0, 361.0, 30.0)
    grid = rng.normal(0.0, 0.005, (13, 19))
    grid[-1] = grid[0]
    antenna = calibration(variation_m=np.full(19, 9.0), azimuth_deg=azimuths, by_azimuth_m=grid)
    nodes = phase_center_range_m(antenna, "G01", np.full(13, np.radians(40.0)), np.radians(azimuths))
    np.testing.assert_allclose(nodes, grid[:, 10], atol=1e-12)
    middle = phase_center_range_m(antenna, "G01", np.radians([42.5]), np.radians([-15.0]))
    np.testing.assert_allclose(middle, grid[11:13, 9:11].mean(), atol=1e-12)


def test_unknown_frequency_is_refused():
    with pytest.raises(GpsgridError) as raised:
        phase_center_range_m(calibration(), "G05", np.zeros(1), np.zeros(1))
    assert raised.value.reason is Reason.UNKNOWN_ANTENNA


@pytest.mark.data
def test_equal_to_rtklib(shared_data, rng):
    path = shared_data / "nl-2021-001" / "nl.atx"
    theirs = pyrtklib.pcvs_t()
    pyrtklib.readpcv(str(path), theirs)
    nothing, direction, result = pyrtklib.Arr1Ddouble(3), pyrtklib.Arr1Ddouble(2), pyrtklib.Arr1Ddouble(3)
    for place, antenna in enumerate(load_antex(path).calibrations):
        pcv = theirs.pcv[place]
        for axis in range(3):
            nothing[axis] = 0.0
            # The file has no offsets; with some, the sign of their projection is compared too.
            pcv.off[0, axis] = antenna.pattern("G01").offset_enu_m[axis] = (0.003, -0.002, 0.11)[axis]
        elevation, azimuth = rng.uniform(0.0, np.pi / 2, 40), rng.uniform(0.0, 2.0 * np.pi, 40)
        ours = phase_center_range_m(antenna, "G01", elevation, azimuth)
        for row in range(40):
            direction[0], direction[1] = azimuth[row], elevation[row]
            pyrtklib.antmodel(pcv, nothing, direction, 1, result)
            assert ours[row] == pytest.approx(result[0], abs=1e-12)
