"""What OpenAPI says about the HTTP door beyond what FastAPI finds out: bodies, examples, problems."""

from typing import Any, Final

import msgspec

from gpsgrid import answer_geojson
from gpsgrid.answer_json import AnswerJson
from gpsgrid.cell_json import CellJson, CellsJson
from gpsgrid.edge import http_examples
from gpsgrid.epoch_json import EpochJson
from gpsgrid.point_corrections import CorrectionsJson
from gpsgrid.problem import MEDIA_TYPE, ProblemJson
from gpsgrid.status_json import HealthJson, StationsJson

DESCRIPTION: Final = """\
Centimetre positions from one epoch of raw GNSS observations.

```
curl --data-binary @epoch.rtcm3 'http://127.0.0.1:8080/v1/position?antenna=TRM59800.00%20%20%20%20%20NONE'
```

Refusals are problem documents (RFC 9457) with a reason code. 503 has `Retry-After`.
"""

JSON: Final = "application/json"
_BINARY: Final = {"type": "string", "format": "binary"}
_WORDS: Final = {
    400: "The body is damaged, or holds no epoch",
    404: "There is no such cell",
    406: "None of the representations is acceptable",
    413: "The body is too large, or holds too many epochs",
    415: "The format or the encoding of the body is not supported",
    422: "A parameter is wrong; or decoded, but no position: too few satellites, outside the network, unknown antenna",
    500: "A bug; it is in the log of the service",
    503: "The network cannot serve now; see Retry-After",
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
        items = schema.get("prefixItems")
        if isinstance(items, list) and all(item == items[0] for item in items):
            # Three numbers are an array of numbers, of length three; few programs understand prefixItems.
            schema = {key: value for key, value in schema.items() if key != "prefixItems"} | {"items": items[0]}
        return {key: _inlined(value, components) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, components) for value in schema]
    return schema


def _content(kind: object, example: object, media_type: str = JSON) -> dict[str, Any]:
    return {media_type: {"schema": _schema(kind), "example": example}}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": _WORDS[status], "content": _content(ProblemJson, http_examples.PROBLEM, MEDIA_TYPE)}
        for status in statuses
    }


def _geojson(geometry: str, kind: str) -> dict[str, Any]:
    """Return the schema of a feature, or of a collection of them, with one kind of geometry."""
    feature = {
        "type": "object",
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"const": "Feature"},
            "geometry": {
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["type", "coordinates"],
                        "properties": {"type": {"const": geometry}},
                    },
                    {"type": "null"},
                ]
            },
            "properties": {"type": "object"},
        },
    }
    collection = {
        "type": "object",
        "required": ["type", "features"],
        "properties": {"type": {"const": "FeatureCollection"}, "features": {"type": "array", "items": feature}},
    }
    return collection if kind == "FeatureCollection" else {"anyOf": [feature, collection]}


REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "Name of the query, repeated in the answer",
    "schema": {"type": "string", "maxLength": 128, "pattern": "^[ -~]*$"},
}
_CONTENT_ENCODING: Final = {
    "name": "Content-Encoding",
    "in": "header",
    "required": False,
    "description": "gzip, or none",
    "schema": {"type": "string", "enum": ["gzip", "x-gzip", "identity"]},
}

POSITION: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": (
            "Raw observations of one epoch, or of several (then the answer is a list): RTCM 3 frames (MSM4 to MSM7,"
            " 1004, 1012; 1033 or 1008 may name the antenna, 1006 its height), RINEX observation text, a JSON epoch, or"
            " UBX RXM-RAWX. Content-Encoding gzip is accepted. With application/octet-stream the content decides."
        ),
        "content": {
            "application/octet-stream": {"schema": _BINARY},
            "application/rtcm3": {"schema": _BINARY},
            "application/rinex": {"schema": {"type": "string"}, "example": http_examples.RINEX},
            "application/ubx": {"schema": _BINARY},
            JSON: {
                "schema": {
                    "anyOf": [_schema(EpochJson), {"type": "array", "items": _schema(EpochJson), "minItems": 1}]
                },
                "example": http_examples.EPOCH,
            },
        },
    },
    "parameters": [REQUEST_ID, _CONTENT_ENCODING],
    "responses": {
        "200": {
            "description": "A position, or the list of answers to several epochs",
            "content": {
                JSON: {
                    "schema": {"anyOf": [_schema(AnswerJson), {"type": "array", "items": _schema(AnswerJson)}]},
                    "example": http_examples.ANSWER,
                },
                answer_geojson.MEDIA_TYPE: {
                    "schema": _geojson("Point", "Feature"),
                    "example": http_examples.FEATURE,
                },
                "application/nmea": {"schema": {"type": "string"}, "example": http_examples.GGA},
                "text/plain": {"schema": {"type": "string"}, "example": http_examples.GGA},
            },
        }
    },
}
POSITION_PROBLEMS: Final = _problems(400, 406, 413, 415, 422, 500, 503)

CORRECTIONS: Final[dict[str, Any]] = {
    "parameters": [REQUEST_ID],
    "responses": {
        "200": {
            "description": "The corrections of the newest network epoch, or the epoch of a virtual station as RTCM 3",
            "content": {
                **_content(CorrectionsJson, http_examples.CORRECTIONS),
                "application/rtcm3": {"schema": _BINARY},
                "application/octet-stream": {"schema": _BINARY},
            },
        }
    },
}
CORRECTIONS_PROBLEMS: Final = _problems(406, 422, 500, 503)

CELLS: Final[dict[str, Any]] = {
    "responses": {
        "200": {
            "description": "Cells",
            "content": {
                **_content(CellsJson, http_examples.CELLS),
                answer_geojson.MEDIA_TYPE: {
                    "schema": _geojson("Polygon", "FeatureCollection"),
                    "example": {"type": "FeatureCollection", "features": []},
                },
            },
        }
    }
}
CELLS_PROBLEMS: Final = _problems(406, 500)

CELL: Final[dict[str, Any]] = {
    "responses": {"200": {"description": "A cell", "content": _content(CellJson, http_examples.CELL)}}
}
CELL_PROBLEMS: Final = _problems(404, 406, 422, 500)

STATIONS: Final[dict[str, Any]] = {
    "responses": {"200": {"description": "Stations", "content": _content(StationsJson, http_examples.STATIONS)}}
}

HEALTH: Final[dict[str, Any]] = {
    "responses": {
        "200": {"description": "Positions can be had", "content": _content(HealthJson, http_examples.HEALTH)},
        "503": {
            "description": "Waiting for the network, or stale",
            "content": _content(HealthJson, {**http_examples.HEALTH, "status": "stale"}),
        },
    }
}

METRICS: Final[dict[str, Any]] = {
    "responses": {
        "200": {
            "description": "Metrics of Prometheus",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "gpsgrid_network_epochs_total 2.0\n"},
            },
        }
    }
}
