"""What OpenAPI says about the HTTP door beyond what FastAPI finds out: bodies, examples, problems."""

from typing import Any, Final

import msgspec

from gpsgrid.answer_json import AnswerJson
from gpsgrid.problem import MEDIA_TYPE, ProblemJson
from gpsgrid.status_json import HealthJson, StationJson

DESCRIPTION: Final = """\
Centimetre positions from one epoch of raw GNSS observations.

```
curl --data-binary @epoch.rtcm3 'http://127.0.0.1:8080/v1/position?antenna=TRM59800.00%20%20%20%20%20NONE'
```

Refusals are problem documents (RFC 9457) with a reason code. 503 has `Retry-After`.
"""

_ANSWER_EXAMPLE: Final = {
    "request": "rover-1",
    "time_gpst": "2021-01-01T00:00:30.000",
    "status": "fixed",
    "position": {
        "ecef_m": [3924687.221, 301133.249, 5001911.145],
        "latitude_deg": 51.986065,
        "longitude_deg": 4.387564,
        "height_m": 74.391,
        "frame": "ITRF2014",
        "epoch": 2021.0,
    },
    "covariance_m2": [[4.1e-05, 1.2e-06, 2.9e-05], [1.2e-06, 1.1e-05, 1.4e-06], [2.9e-05, 1.4e-06, 6.0e-05]],
    "sd_enu_m": [0.003, 0.004, 0.009],
    "wrong_fix_probability": 0.0002,
    "satellites": {"used": ["G05", "G07", "G13", "G14", "G15", "G28", "G30"], "dropped": []},
    "age_s": 0.0,
    "cell": "851969affffffff",
    "master": "DELF",
    "warnings": [],
    "reason": "",
    "refusal": None,
    "timing": {"latency_ms": 18.4},
}
_PROBLEM_EXAMPLE: Final = {
    "type": "urn:gpsgrid:problem:too_few_satellites",
    "title": "Too few satellites",
    "status": 422,
    "detail": "4 satellites with code and phase on two carriers (4 in the body); at least 5 are needed",
    "reason": "too_few_satellites",
    "request": "rover-1",
    "time_gpst": "2021-01-01T00:00:30.000",
    "age_s": 0.0,
    "warnings": [],
}


def _schema(kind: object) -> dict[str, Any]:
    """Return the JSON schema of a document with nothing outside itself."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="{name}")
    inlined: dict[str, Any] = _inlined(schema, components)
    return inlined


def _inlined(schema: Any, components: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON schema has no narrower type
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(components[schema["$ref"]], components)
        return {key: _inlined(value, components) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, components) for value in schema]
    return schema


def _content(kind: object, example: object = None, media_type: str = "application/json") -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _schema(kind)}
    if example is not None:
        content["example"] = example
    return {media_type: content}


POSITION: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": (
            "One epoch of raw observations: RTCM 3 MSM4 to MSM7 frames;"
            " 1033 or 1008 may name the antenna, 1006 its height"
        ),
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {
            "name": "X-Request-ID",
            "in": "header",
            "required": False,
            "description": "Name of the query, repeated in the answer",
            "schema": {"type": "string", "maxLength": 128},
        }
    ],
    "responses": {"200": {"description": "A position", "content": _content(AnswerJson, _ANSWER_EXAMPLE)}},
}

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": _content(ProblemJson, _PROBLEM_EXAMPLE, MEDIA_TYPE)}
    for status, text in {
        400: "The body is damaged or holds no epoch",
        413: "The body is too large",
        422: "Decoded, but no position: too few satellites, outside the network, unknown antenna or signals",
        503: "The network cannot serve now; see Retry-After",
    }.items()
}

STATIONS: Final[dict[str, Any]] = {
    "responses": {"200": {"description": "Stations", "content": _content(dict[str, str | float | list[StationJson]])}}
}

HEALTH: Final[dict[str, Any]] = {
    "responses": {
        "200": {"description": "Positions can be had", "content": _content(HealthJson)},
        "503": {"description": "Waiting for the network, or stale", "content": _content(HealthJson)},
    }
}
