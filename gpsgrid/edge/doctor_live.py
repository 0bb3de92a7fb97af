"""Live sources for ``gpsgrid doctor``: listened to for some seconds, then surveyed like a file."""

import asyncio
import math
import os
import re
import time
from contextlib import aclosing
from dataclasses import replace

from gpsgrid.diagnosis import Diagnosis
from gpsgrid.edge.doctor_files import diagnosis_of
from stations.edge.host_time import gps_now_ns
from stations.edge.mqtt import MqttLink
from stations.edge.ntrip import NtripSource
from stations.edge.serial_port import SerialSource
from stations.edge.stream import Source
from stations.edge.tcp import TcpSource
from stations.errors import GpsgridError, Reason
from stations.plural import counted
from stations.stream_address import SerialAddress, parse_ntrip_url, parse_stream_url
from stations.survey import StreamSurvey

_SCHEMES = ("ntrip://", "ntrips://", "tcp://", "serial:", "mqtt://", "mqtts://")
_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)
_MOST_TOPICS = 50


def is_url(text: str) -> bool:
    """Return whether a word on the command line is a live source, of a kind that we know or not, and not a file."""
    return text.lower().startswith(_SCHEMES) or _ANY_SCHEME.match(text) is not None


async def diagnose_url(url: str, seconds: float) -> list[Diagnosis]:
    """Listen and return what came: one diagnosis, of MQTT one a topic.

    Args:
        url: ``ntrip://``, ``ntrips://``, ``tcp://``, ``serial:``, or ``mqtt://host/topic``.
        seconds: How long to listen after the connection stands.
    """
    shown = url.split("://", 1)[0] + "://..."  # until it is taken apart it may hold a password
    if not url.lower().startswith(_SCHEMES):
        expected = f"expected {', '.join(_SCHEMES)} or the name of a file"
        return [Diagnosis(shown, "live stream", error=f"{shown} cannot be listened to; {expected}")]
    try:
        if url.lower().startswith("mqtt"):
            return await _mqtt(url, seconds)
        if url.lower().startswith("ntrip"):
            address = parse_ntrip_url(url, mountpoint_needed=False)
            shown = address.shown
            if not address.mountpoint:
                table = await NtripSource(replace(address, gga_s=0)).sourcetable()
                return [Diagnosis(shown, "NTRIP caster", sourcetable=table)]
            if address.gga_s:
                found = "has gga=, and the doctor has no position to send; leave it out"
                raise _refused(found)
            source: Source = NtripSource(address)
        else:
            parsed = parse_stream_url(url if "://" in url else url.replace("serial:", "serial://", 1))
            source = SerialSource(parsed) if isinstance(parsed, SerialAddress) else TcpSource(parsed)
        shown = source.shown
        return [await _listen(source, seconds)]
    except GpsgridError as error:
        return [Diagnosis(shown, "live stream", error=str(error))]


async def _listen(source: Source, seconds: float) -> Diagnosis:
    survey = StreamSurvey(source.shown, gps_now_ns())
    started_s = math.nan  # until the connection stands
    received, ended = 0, ""
    try:
        async with aclosing(source.once()) as chunks:
            while True:
                left_s = None if math.isnan(started_s) else started_s + seconds - time.monotonic()
                if left_s is not None and left_s <= 0.0:
                    break
                try:
                    data = await asyncio.wait_for(anext(chunks), left_s)
                except (TimeoutError, StopAsyncIteration):
                    break
                if math.isnan(started_s):
                    started_s = time.monotonic()
                received += len(data)
                survey.push(data, gps_now_ns())
    except GpsgridError as error:
        ended = str(error)
    listened_s = 0.0 if math.isnan(started_s) else time.monotonic() - started_s
    if not received:
        return Diagnosis(source.shown, "live stream", error=ended or f"{source.shown}: no byte in {listened_s:.0f} s")
    if not survey.reader.frames:
        message = (
            f"{source.shown}: {counted(received, 'byte')} and no RTCM 3 frame among them; "
            f"the receiver sends another format; configure RTCM 3"
        )
        return Diagnosis(source.shown, "live stream", error=message)
    return diagnosis_of(source.shown, "live RTCM 3 stream", survey.finish(listened_s))


async def _mqtt(url: str, seconds: float) -> list[Diagnosis]:
    scheme, _, rest = url.partition("://")
    authority, _, topic = rest.partition("/")
    if not topic:
        found = "names no topic; expected mqtt://[user:password@]host[:port]/topic, + and # may stand in it"
        raise _refused(found)
    surveys: dict[str, StreamSurvey] = {}
    async with MqttLink(f"{scheme}://{authority}", f"gpsgrid-doctor-{os.getpid()}") as link:
        await link.subscribe(topic)
        try:
            async with asyncio.timeout(seconds):
                async for message in link.messages():
                    if message.topic not in surveys and len(surveys) < _MOST_TOPICS:
                        surveys[message.topic] = StreamSurvey(message.topic, gps_now_ns())
                    if message.topic in surveys:
                        surveys[message.topic].push(message.payload, gps_now_ns())
        except TimeoutError:
            pass
        shown = link.shown
    if not surveys:
        problem = f"{shown}/{topic}: no message in {seconds:g} s; check the topic"
        return [Diagnosis(f"{shown}/{topic}", "MQTT topic", error=problem)]
    return [_of_topic(f"{shown}/{name}", survey, seconds) for name, survey in sorted(surveys.items())]


def _of_topic(shown: str, survey: StreamSurvey, seconds: float) -> Diagnosis:
    if not survey.reader.frames:
        message = f"{shown}: {counted(survey.reader.junk_bytes, 'byte')} and no RTCM 3 frame among them"
        return Diagnosis(shown, "MQTT topic", error=message)
    return diagnosis_of(shown, "live RTCM 3 over MQTT", survey.finish(seconds))


def _refused(found: str) -> GpsgridError:
    return GpsgridError(Reason.BAD_CONFIG, f"the URL {found}")
