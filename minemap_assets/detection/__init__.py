"""The room detection."""
