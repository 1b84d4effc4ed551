"""The report: what the project found, how far it can be trusted, and a page for each site, to be read and printed."""
