"""The part of ``stations`` that touches the world: files on disk and the MQTT connection."""
