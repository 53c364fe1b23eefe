"""The bridge's protocol: codes, frames and the server's session. No I/O, no clock."""
