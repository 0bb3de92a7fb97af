"""The part of ``gpsgrid`` that touches the world: service, HTTP, broker child process, command line."""
