"""What is known of a declared coordinate, in words for the operator."""

from models.coordinates_monitor import Judgement, Verdict

_DIRECTIONS = (("east", "west"), ("north", "south"), ("up", "down"))
_ALARMING = (Verdict.SUSPICIOUS, Verdict.WRONG)
_CHECK = "check its position, antenna, antenna height and frame in network.toml"


def coordinate_text(station: str, judgement: Judgement) -> str:
    """Return one sentence: what was found, what the engine does about it, what to check."""
    match judgement.verdict:
        case Verdict.UNKNOWN:
            return f"{station}: not known yet whether its coordinate is right; an hour of data is needed"
        case Verdict.GOOD:
            return f"{station}: coordinate agrees with the other stations (sigma {_sigmas(judgement)})"
        case Verdict.SUSPICIOUS:
            return (
                f"{station}: coordinate may be off by {_offset(judgement)} (sigma {_sigmas(judgement)}); nothing is "
                f"fixed until this is clear; {_CHECK}"
            )
        case Verdict.WRONG:
            return (
                f"{station}: coordinate is off by {_offset(judgement)} (sigma {_sigmas(judgement)}); the station is "
                f"excluded; {_CHECK}"
            )


def worth_telling(before: Verdict, now: Verdict) -> bool:
    """Return whether a change of verdict is an alarm or the end of one; that a start-up ends well is not."""
    return before is not now and (before in _ALARMING or now in _ALARMING)


def _offset(judgement: Judgement) -> str:
    parts = [
        f"{abs(value):.2f} m {names[0] if value >= 0.0 else names[1]}"
        for value, names in zip(judgement.offset_m, _DIRECTIONS, strict=True)
    ]
    return ", ".join(parts)


def _sigmas(judgement: Judgement) -> str:
    return ", ".join(f"{sd:.2f}" for sd in judgement.sd_m) + " m"
