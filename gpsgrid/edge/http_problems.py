"""Refusals of the HTTP door: problem documents (RFC 9457), whatever went wrong and wherever."""

from collections.abc import Mapping, Sequence

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gpsgrid.accept import negotiated
from gpsgrid.answer import Answer
from gpsgrid.edge.metrics import Metrics
from gpsgrid.edge.questions import EngineFailedError
from gpsgrid.explanation_json import ExplanationJson, explanation_document
from gpsgrid.problem import MEDIA_TYPE, RETRY_AFTER_S, DoorReason, ProblemJson, problem_type, refusal_of
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso

REQUEST_HEADER = "X-Request-ID"
_LONGEST_REQUEST_NAME = 128
_LONGEST_INPUT = 40
_LONGEST_ACCEPT = 80
_UNSUPPORTED = 415
_OF_STATUS = {404: DoorReason.NOT_FOUND, 405: DoorReason.METHOD_NOT_ALLOWED, 406: DoorReason.NOT_ACCEPTABLE}


class BadParameterError(ValueError):
    """Parameters that are right one by one and wrong together; the message says which and why."""


class NotAcceptableError(ValueError):
    """The client accepts none of the representations that there are; the message names both."""


def add_problems(app: FastAPI, metrics: Metrics) -> None:
    """Let every error of an application be answered with a problem document, and be counted."""
    app.state.metrics = metrics
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _parameter_problem)
    app.add_exception_handler(BadParameterError, _combination_problem)
    app.add_exception_handler(NotAcceptableError, _not_acceptable)
    app.add_exception_handler(GpsgridError, _refused_input)
    app.add_exception_handler(EngineFailedError, _internal_problem)
    app.add_exception_handler(Exception, _internal_problem)


def request_name(request: Request) -> str:
    """Return what the client called its request; empty for nothing.

    Raises:
        BadParameterError: It is too long, or no printable ASCII.
    """
    name = request.headers.get(REQUEST_HEADER, "")
    if len(name) > _LONGEST_REQUEST_NAME or not (name.isascii() and name.isprintable()):
        message = (
            f"{REQUEST_HEADER} of {len(name)} characters: {name[:_LONGEST_INPUT]!r}; expected at most "
            f"{_LONGEST_REQUEST_NAME}, printable ASCII"
        )
        raise BadParameterError(message)
    return name


def problem(  # noqa: PLR0913 - the members of a problem document
    reason: Reason | DoorReason,
    detail: str,
    *,
    request: str = "",
    time_gpst: str | None = None,
    age_s: float | None = None,
    warnings: tuple[str, ...] = (),
    explanation: ExplanationJson | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document with the status of its reason."""
    kind = refusal_of(reason)
    document = ProblemJson(
        problem_type(reason),
        kind.title,
        kind.status,
        detail,
        str(reason),
        request,
        time_gpst,
        age_s,
        warnings,
        explanation,
    )
    response = Response(msgspec.json.encode(document), kind.status, media_type=MEDIA_TYPE)
    if kind.retry:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if kind.status == _UNSUPPORTED:
        response.headers["Accept-Encoding"] = "gzip"  # RFC 7694
    response.headers.update(headers or {})
    if request:
        response.headers[REQUEST_HEADER] = request
    return response


def refused(answer: Answer) -> Response:
    """Return the problem document of an answer without a position."""
    return problem(
        answer.refusal or Reason.QUEUE_FULL,
        answer.reason,
        request=answer.request,
        time_gpst=to_iso(answer.time_ns) if answer.time_ns else None,
        age_s=answer.age_s,
        warnings=answer.warnings,
        explanation=None if answer.explanation is None else explanation_document(answer.explanation),
    )


def chosen_type(request: Request, offered: Sequence[str]) -> str:
    """Return the media type that a client wants of those that there are.

    Raises:
        NotAcceptableError: It wants none of them.
    """
    accept = request.headers.get("Accept", "")
    media_type = negotiated(accept, offered)
    if media_type is None:
        message = f"Accept {accept[:_LONGEST_ACCEPT]!r}; what there is, is {', '.join(offered)}"
        raise NotAcceptableError(message)
    return media_type


def _counted(
    request: Request, reason: Reason | DoorReason, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    request.app.state.metrics.refused("http", str(reason))
    try:
        name = request_name(request)
    except BadParameterError:
        name = ""
    return problem(reason, detail, request=name, headers=headers)


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = str(error.detail) if isinstance(error, HTTPException) else "Internal error"
    detail = f"{request.method} {request.url.path}: {words}; what there is, is described at /docs"
    headers = error.headers if isinstance(error, HTTPException) else None
    response = _counted(request, _OF_STATUS.get(status, DoorReason.HTTP), detail, headers)
    response.status_code = status
    return response


async def _parameter_problem(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    words = (f"{one['loc'][-1]}: {one['msg']} (got {str(one.get('input'))[:_LONGEST_INPUT]!r})" for one in found)
    return _counted(request, DoorReason.BAD_PARAMETER, "; ".join(words))


async def _combination_problem(request: Request, error: Exception) -> Response:
    return _counted(request, DoorReason.BAD_PARAMETER, str(error))


async def _not_acceptable(request: Request, error: Exception) -> Response:
    return _counted(request, DoorReason.NOT_ACCEPTABLE, str(error))


async def _refused_input(request: Request, error: Exception) -> Response:
    reason = error.reason if isinstance(error, GpsgridError) else DoorReason.INTERNAL
    return _counted(request, reason, str(error))


async def _internal_problem(request: Request, error: Exception) -> Response:
    text = str(error) if isinstance(error, EngineFailedError) else "internal error; it is in the log of the service"
    return _counted(request, DoorReason.INTERNAL, text)
