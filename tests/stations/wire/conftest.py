"""Kernels are compiled before the first test, so that no deadline of a property test pays for it."""

import numpy as np
import pytest

from stations.epoch import make_epoch
from stations.signals import GPS_L1CA
from stations.wire.crc24q import crc24q
from stations.wire.msm import decode_msm, encode_msm7
from stations.wire.msm_columns import lock_indicator_from, lock_ms_from


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    row = (7, GPS_L1CA, 2.2e7, 1.15e8, 45.0, 1000, False)
    epoch = make_epoch(0, *(np.array([value]) for value in row))
    decode_msm(encode_msm7(1, epoch, more=False), 0)
    crc24q(b"")
    lock_indicator_from(lock_ms_from(1, 10), 10)
