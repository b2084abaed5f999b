"""Sample feeds written for this project, and a loopback server for them: the whole daemon without a network."""
