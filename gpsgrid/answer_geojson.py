"""Answers as GeoJSON (RFC 7946): points with longitude, latitude and height, for maps."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gpsgrid.answer_json import AnswerJson

MEDIA_TYPE = "application/geo+json"


def encode_features(answers: Sequence[AnswerJson]) -> bytes:
    """Return one answer as a feature, or several as a collection of features; null geometry for no position.

    Coordinates are in the frame of the network, which differs from WGS 84 by some decimetres where the frame is fixed
    to a plate; properties are the answer itself, with the name and epoch of the frame.

    Args:
        answers: At least one.
    """
    features = [_feature(answer) for answer in answers]
    whole = {"type": "FeatureCollection", "features": features} if len(features) > 1 else features[0]
    return msgspec.json.encode(whole)


def _feature(answer: AnswerJson) -> dict[str, Any]:
    properties = msgspec.to_builtins(answer)
    place, point = properties.pop("position"), None
    if place is not None:
        coordinates = [
            round(place["longitude_deg"], 10),
            round(place["latitude_deg"], 10),
            round(place["height_m"], 5),
        ]
        point = {"type": "Point", "coordinates": coordinates}
        properties |= {"frame": place["frame"], "epoch": place["epoch"]}
    return {"type": "Feature", "geometry": point, "properties": properties}
