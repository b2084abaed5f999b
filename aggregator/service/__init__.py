"""Joins the stages: one poll end to end, the grouping of new items, and the daemon that runs both for years.

The only place, with the CLI, that reads the clock, and the only one that catches errors nobody expected: once a feed, so
that no feed can stop another.
"""
