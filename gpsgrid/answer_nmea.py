"""Answers as NMEA 0183 GGA sentences, for programs that read a receiver."""

import math
from collections.abc import Iterable

from gpsgrid.answer import Answer
from models.rover import RoverStatus
from stations.nmea import Gga, write_gga

QUALITY = {
    RoverStatus.FIXED: 4,
    RoverStatus.PARTIAL: 4,  # centimetres are claimed, which is what 4 means to a program
    RoverStatus.FLOAT: 5,
    RoverStatus.CODE: 2,  # the orbits are those of the network, the position is that of the codes alone
    RoverStatus.NONE: 0,
}


def write_answers(answers: Iterable[Answer]) -> str:
    """Return one GGA sentence for every answer, in order; quality 0 with empty fields where there is no position.

    There is no model of the geoid here: the height is ellipsoidal and the geoid separation is zero, so that their sum
    is right for whoever adds them up.
    """
    return "".join(write_gga(_gga(answer)) for answer in answers)


def _gga(answer: Answer) -> Gga:
    latitude_deg, longitude_deg, height_m = answer.geodetic
    return Gga(
        answer.time_ns or None,
        math.radians(latitude_deg),
        math.radians(longitude_deg),
        height_m,
        QUALITY[answer.status],
        len(answer.satellites),
        geoid_separation_m=0.0 if math.isfinite(height_m) else math.nan,
        age_s=abs(answer.age_s),
    )
