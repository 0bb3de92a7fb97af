"""ANTEX 1.3/1.4: calibrations of receiver antennas and of satellite antennas.

An antenna that is not in the table is an error, never a zero: a forgotten radome costs centimetres of
height. How a calibration changes a range is the business of ``models.antenna``.
"""

import difflib
from dataclasses import dataclass

import numpy as np

from stations.antenna_type import antenna_type
from stations.antex_text import AntennaRecord, AntexLines, FrequencyPattern, read_antenna
from stations.arrays import FloatArray
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.rinex_text import LineTable, broken
from stations.signals import satellite_name, satellite_number

__all__ = [
    "AntennaCalibration",
    "AntennaTable",
    "FrequencyPattern",
    "SatelliteAntenna",
    "SatellitePattern",
    "read_antex",
]

_NEAREST = 5
_NAME_WIDTH = 3  # G07


@dataclass(frozen=True)
class AntennaCalibration:
    """Calibration of one antenna type, or of one antenna.

    Attributes:
        antenna: IGS antenna type, 20 characters.
        serial: Serial number; empty for a calibration of the type.
        valid_from_ns: First instant for which it holds, ns of GPS time; None without limit.
        valid_until_ns: Last instant for which it holds; None without limit.
        frequencies: Patterns by ANTEX frequency, for instance ``G01``.
        sinex_code: Name of the set of calibrations it belongs to; may be empty.
    """

    antenna: str
    serial: str
    valid_from_ns: int | None
    valid_until_ns: int | None
    frequencies: dict[str, FrequencyPattern]
    sinex_code: str = ""

    def pattern(self, frequency: str) -> FrequencyPattern:
        """Return the pattern of an ANTEX frequency such as ``G02``.

        Raises:
            GpsgridError: ``UNKNOWN_ANTENNA``, this antenna is not calibrated on that frequency.
        """
        try:
            return self.frequencies[frequency]
        except KeyError:
            message = (
                f"antenna {self.antenna!r} has no calibration on {frequency}, only on"
                f" {', '.join(self.frequencies) or 'nothing'}; use an ANTEX file that has it"
            )
            raise GpsgridError(Reason.UNKNOWN_ANTENNA, message, antenna=self.antenna, frequency=frequency) from None

    def holds_at(self, time_ns: int | None) -> bool:
        """Return whether the calibration holds at an instant; always when none is given."""
        return _holds(self.valid_from_ns, self.valid_until_ns, time_ns)


@dataclass(frozen=True)
class SatellitePattern:
    """Phase centre of a satellite antenna on one frequency.

    Attributes:
        offset_xyz_m: Mean phase centre from the centre of mass in the axes of the satellite (z to the Earth, y along
            the solar panels), metres.
        nadir_rad: Angles from z, rising, shape ``(nadir,)``.
        variation_m: Variation without azimuth, metres, shape ``(nadir,)``.
        azimuth_rad: Azimuths in the satellite's axes, rising, shape ``(azimuth,)``; empty without them.
        azimuth_variation_m: Variation with azimuth, metres, shape ``(azimuth, nadir)``.
    """

    offset_xyz_m: FloatArray
    nadir_rad: FloatArray
    variation_m: FloatArray
    azimuth_rad: FloatArray
    azimuth_variation_m: FloatArray


@dataclass(frozen=True)
class SatelliteAntenna:
    """Calibration of the antenna of one satellite, as long as it has its number.

    Attributes:
        satellite: Satellite integer it has in that time.
        antenna: Type (block), for instance ``BLOCK IIR-M``.
        vehicle: Space vehicle number, for instance ``G048``.
        cospar: International designator.
        valid_from_ns: First instant, ns of GPS time; None without limit.
        valid_until_ns: Last instant; None without limit.
        frequencies: Patterns by ANTEX frequency.
        sinex_code: Name of the set of calibrations it belongs to; may be empty.
    """

    satellite: int
    antenna: str
    vehicle: str
    cospar: str
    valid_from_ns: int | None
    valid_until_ns: int | None
    frequencies: dict[str, SatellitePattern]
    sinex_code: str = ""

    def holds_at(self, time_ns: int) -> bool:
        """Return whether the satellite had this number and antenna at an instant."""
        return _holds(self.valid_from_ns, self.valid_until_ns, time_ns)


def _holds(from_ns: int | None, until_ns: int | None, time_ns: int | None) -> bool:
    if time_ns is None:
        return True
    return (from_ns is None or from_ns <= time_ns) and (until_ns is None or time_ns <= until_ns)


@dataclass(frozen=True)
class AntennaTable:
    """The calibrations of one ANTEX file, in its order.

    Attributes:
        source: Name of the file.
        calibrations: Of receiver antennas.
        satellites: Of satellite antennas.
        absolute: Whether they are absolute, not relative to a reference antenna.
        reference_antenna: That antenna; empty for absolute calibrations.
    """

    source: str
    calibrations: tuple[AntennaCalibration, ...]
    satellites: tuple[SatelliteAntenna, ...] = ()
    absolute: bool = True
    reference_antenna: str = ""

    def find(self, antenna: str, serial: str = "", time_ns: int | None = None) -> AntennaCalibration:
        """Return the calibration of an antenna: its own if there is one, else that of its type.

        Args:
            antenna: IGS type with radome. The number of blanks between them does not matter, the radome does:
                nothing else is ever taken in its place, not even ``NONE``.
            serial: Serial number; may be empty.
            time_ns: Instant of the observations, ns of GPS time; None when it does not matter.

        Raises:
            GpsgridError: ``UNKNOWN_ANTENNA``; the message names what was asked and what comes nearest.
        """
        wanted = antenna_type(antenna)
        valid = [entry for entry in self.calibrations if entry.antenna == wanted and entry.holds_at(time_ns)]
        for key in (serial.strip(), ""):
            # The file may hold several for one antenna; the last one is the newest.
            found = [entry for entry in valid if entry.serial == key]
            if found:
                return found[-1]
        raise self._unknown(wanted, serial.strip())

    def satellite(self, satellite: int, time_ns: int) -> SatelliteAntenna:
        """Return the antenna of the satellite that had a number at an instant.

        Raises:
            GpsgridError: ``UNKNOWN_ANTENNA``, with the satellite and what the file has for it.
        """
        known = [entry for entry in self.satellites if entry.satellite == satellite]
        for entry in known:
            if entry.holds_at(time_ns):
                return entry
        vehicles = ", ".join(entry.vehicle for entry in known) or "nothing"
        message = (
            f"{self.source} has no antenna of {satellite_name(satellite)} at {to_iso(time_ns)}; it has {vehicles} for "
            f"that number. Use the ANTEX file that belongs to the orbits"
        )
        raise GpsgridError(Reason.UNKNOWN_ANTENNA, message, satellite=satellite, file=self.source)

    def _unknown(self, wanted: str, serial: str) -> GpsgridError:
        labels = {_label(entry.antenna, entry.serial): entry for entry in self.calibrations}
        same_name = [label for label, entry in labels.items() if entry.antenna[:16] == wanted[:16]]
        nearest = same_name or difflib.get_close_matches(_label(wanted, serial), list(labels), n=_NEAREST)
        known = "; ".join(nearest[:_NEAREST]) or ", ".join(label.strip() for label in sorted(labels)[:_NEAREST])
        message = (
            f"{self.source} has no calibration for antenna {_label(wanted, serial)}; nearest are: {known}."
            " Correct the type (name and radome) or the serial number, or use an ANTEX file that has it"
        )
        return GpsgridError(
            Reason.UNKNOWN_ANTENNA, message, antenna=wanted, serial=serial, file=self.source, nearest=nearest[:_NEAREST]
        )


def _label(antenna: str, serial: str) -> str:
    return f"{antenna!r} serial {serial!r}" if serial else repr(antenna)


def read_antex(text: str, source: str) -> AntennaTable:
    """Read an ANTEX file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        Rothacher and Schmid (2010), ANTEX 1.4.
    """
    table = LineTable(text, source)
    if table.lines[0][60:80].strip() != "ANTEX VERSION / SYST":
        message = f"expected 'ANTEX VERSION / SYST' in columns 61-80, got {table.lines[0][:80]!r}"
        raise broken(source, 1, message)
    receivers, satellites = [], []
    absolute, reference = True, ""
    lines = AntexLines(table)
    for label, line in lines:
        if label == "PCV TYPE / REFANT":
            absolute = line[:1] != "R"
            reference = "" if absolute else antenna_type(line[20:40])
        elif label == "START OF ANTENNA":
            record = read_antenna(lines)
            if record.satellite:
                satellites.append(_satellite_antenna(record, lines))
            else:
                receivers.append(
                    AntennaCalibration(
                        record.antenna,
                        record.serial,
                        record.valid_from_ns,
                        record.valid_until_ns,
                        record.frequencies,
                        record.sinex_code,
                    )
                )
    return AntennaTable(source, tuple(receivers), tuple(satellites), absolute, reference)


def _satellite_antenna(record: AntennaRecord, lines: AntexLines) -> SatelliteAntenna:
    try:
        # Three characters before anything else: longer numbers are no satellites, whatever their letter.
        number = satellite_number(f"{record.serial:3.3}" if len(record.serial) <= _NAME_WIDTH else "?")
    except ValueError as error:
        message = f"{record.serial!r} as the number of a satellite: {error}"
        raise lines.error(message) from None
    patterns = {}
    for frequency, pattern in record.frequencies.items():
        # North, east and up of a receiver antenna are the columns of x, y and z of a satellite.
        east, north, up = pattern.offset_enu_m.tolist()
        patterns[frequency] = SatellitePattern(
            np.array([north, east, up]),
            pattern.zenith_rad,
            pattern.variation_m,
            pattern.azimuth_rad,
            pattern.azimuth_variation_m,
        )
    return SatelliteAntenna(
        number,
        " ".join(record.antenna.split()),
        record.satellite,
        record.cospar,
        record.valid_from_ns,
        record.valid_until_ns,
        patterns,
        record.sinex_code,
    )
