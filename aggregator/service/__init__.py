"""Joins the stages, reads the clock, runs as a daemon. The only user of apscheduler."""
