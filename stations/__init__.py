"""What reaches us and the words to say it: time, frames, signals, epochs, wire formats, files, feeds.

The lowest package: it imports nothing else of ours, and everybody speaks its nouns. Only
``stations.edge`` touches a network or a disk.
"""
