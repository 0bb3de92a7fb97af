"""Answers as GeoJSON (RFC 7946): points with longitude, latitude and height, for maps."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import msgspec

from gpsgrid.answer import Answer
from gpsgrid.answer_json import answer_document

MEDIA_TYPE = "application/geo+json"


def encode_features(answers: Sequence[tuple[Answer, float]], *, several: bool) -> bytes:
    """Return answers as a feature, or several as a collection of features; null geometry where there is no position.

    Args:
        answers: Each with its latency in milliseconds, at least one.
        several: Whether the body had several epochs.

    Coordinates are in the frame of the network, which differs from WGS 84 by some decimetres where the frame is fixed
    to a plate; properties are the answer itself without its position, with the name of the frame.
    """
    features = [_feature(answer, latency_ms) for answer, latency_ms in answers]
    return msgspec.json.encode({"type": "FeatureCollection", "features": features} if several else features[0])


def _feature(answer: Answer, latency_ms: float) -> dict[str, Any]:
    properties = msgspec.to_builtins(answer_document(answer, latency_ms))
    del properties["position"]
    latitude_deg, longitude_deg, height_m = answer.geodetic
    point = None
    if isfinite(height_m):
        place = [round(longitude_deg, 10), round(latitude_deg, 10), round(height_m, 5)]
        point = {"type": "Point", "coordinates": place}
    return {
        "type": "Feature",
        "geometry": point,
        "properties": properties | {"frame": answer.frame, "epoch": answer.frame_epoch},
    }
