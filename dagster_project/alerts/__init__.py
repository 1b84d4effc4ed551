"""Alerts: failures of runs and of what starts them, told where somebody reads it."""
