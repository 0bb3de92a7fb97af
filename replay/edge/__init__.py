"""The part of ``replay`` that reads recordings, writes tracks and drives a broker."""
