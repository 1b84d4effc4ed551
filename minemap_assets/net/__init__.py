"""The one HTTP client: policy, retries, downloads, redaction, usage."""
