"""RTCM 3 as pure functions between bytes and values, both directions; no sockets, no clocks."""
