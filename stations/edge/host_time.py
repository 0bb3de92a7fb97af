"""The host's calendar as GPS time: good for weeks and for what is told to others, never for epochs."""

import datetime as dt

from stations.gpstime import from_utc


def gps_now_ns() -> int:
    """Return the GPS time now, ns, as the host's clock knows it."""
    return from_utc(dt.datetime.now(dt.UTC))
