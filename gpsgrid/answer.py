"""What a rover is told: a position with its uncertainty and reasons, or a refusal with its reason."""

from dataclasses import dataclass

import numpy as np

from gpsgrid.explanation import Explanation
from models.rover import RoverStatus
from stations.arrays import FloatArray
from stations.errors import Reason
from stations.frames import enu_rotation_at, geodetic_from_ecef


@dataclass(frozen=True)
class Answer:
    """The answer to one epoch of rover observations; every query gets exactly one.

    Attributes:
        request: Name the asker gave the query.
        time_ns: Rover epoch, ns of GPS time; 0 when the body could not be decoded.
        status: ``fixed``, ``partial``, ``float``, ``code`` or ``none``.
        position_m: Antenna reference point less the stated antenna height, ECEF, shape ``(3,)``; NaN for ``none``.
        covariance_m2: ECEF, shape ``(3, 3)``; NaN for ``none``.
        frame: Frame of the position.
        frame_epoch: Epoch of the frame, decimal year.
        satellites: Names of the satellites used.
        dropped: Names of satellites that were common but left out.
        wrong_fix_probability: Probability that the integers are wrong; NaN unless fixed or partial.
        age_s: Rover epoch minus network epoch; NaN without a network epoch.
        cell: H3 index of the rover's cell; empty when it has no position.
        master: Station that the double differences were formed with; empty without one.
        refusal: Why there is no position; ``None`` when there is one.
        reason: In words: why the status is not ``fixed``, or what to do about the refusal; empty when fixed.
        warnings: What the asker should know although there is a position.
        explanation: What became of every satellite; ``None`` when it was not asked for.
    """

    request: str
    time_ns: int
    status: RoverStatus
    position_m: FloatArray
    covariance_m2: FloatArray
    frame: str
    frame_epoch: float
    satellites: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    wrong_fix_probability: float = float("nan")
    age_s: float = float("nan")
    cell: str = ""
    master: str = ""
    refusal: Reason | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    explanation: Explanation | None = None

    @property
    def geodetic(self) -> tuple[float, float, float]:
        """Latitude and longitude in degrees and ellipsoidal height in metres; NaN for ``none``."""
        latitude, longitude, height = geodetic_from_ecef(self.position_m)
        return float(np.degrees(latitude)), float(np.degrees(longitude)), float(height)

    @property
    def sd_enu_m(self) -> FloatArray:
        """Standard deviations east, north and up, metres, shape ``(3,)``; NaN for ``none``."""
        if not np.all(np.isfinite(self.position_m)):
            return np.full(3, np.nan)
        rotation = enu_rotation_at(self.position_m)
        return np.sqrt(np.diagonal(rotation @ self.covariance_m2 @ rotation.T))


def refusal(request: str, reason: Reason, text: str, time_ns: int = 0, frame: str = "", epoch: float = 0.0) -> Answer:
    """Return an answer without a position."""
    nan = np.full(3, np.nan)
    return Answer(
        request,
        time_ns,
        RoverStatus.NONE,
        nan,
        np.full((3, 3), np.nan),
        frame,
        epoch,
        refusal=reason,
        reason=text,
    )
