"""Stand-ins for services on loopback, each run as a process of its own."""
