"""The one HTTP client: rules, retries, downloads, redaction, usage."""
