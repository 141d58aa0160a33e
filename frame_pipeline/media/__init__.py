"""Probe, decode, sampling, shots and proxies: everything that touches a video file."""
